{#- Where all that arrived is new, rows are inserted; nothing is compared with what is there. -#}

{% macro strategy() -%}
    {{ return('append' if var('is_append') else 'merge') }}
{%- endmacro %}

{#- Takes the place of dbt's own, which asks the table for its columns: Sail does not answer that.
    The columns are named, for Sail keeps a table's partition columns at its end. -#}
{% macro get_insert_into_sql(source_relation, target_relation) -%}
    insert into {{ target_relation }} ({{ model.columns.keys() | join(', ') }})
    select {{ model.columns.keys() | join(', ') }} from {{ source_relation }}
{%- endmacro %}
