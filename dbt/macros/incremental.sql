{#- How a model's table takes in what its query found; see docs/decisions/0011. Decided when a model
    runs, not when the project is parsed: so what was parsed serves every build. -#}

{#- Whether the table holds nothing that the arrivals could change; one of what was replaced has
    nothing to add then. -#}
{% macro is_appended() -%}
    {%- if 'known_until' in model.columns -%}
    {{ return(not is_replacing()) }}
    {%- else -%}
    {{ return(model.schema ~ '.' ~ model.name in var('appended')) }}
    {%- endif -%}
{%- endmacro %}

{#- A condition on the model's table that holds for every row the arrivals may change. Engines leave
    those files unread whose statistics contradict it. -#}
{% macro touched(alias) -%}
    {%- if 'timeframe' in model.columns -%}
    {{ has_news(alias ~ '.timeframe') }} and {% endif -%}
    {%- if 'timestamp' in model.columns -%}
    {{ alias }}.timestamp >= {{ since_min() }}
    {%- elif 'date' in model.columns -%}
    {{ alias }}.date >= {{ since_day() }}
    {%- else -%}
    {{ alias }}.month >= {{ since_month() }}
    {%- endif -%}
{%- endmacro %}

{#- Takes the place of dbt-spark's own, whose predicates and strategy are fixed by parsing. -#}
{% macro dbt_spark_get_incremental_sql(
    strategy, source, target, existing, unique_key, incremental_predicates
) -%}
    {%- if is_appended() -%}
    {{ get_insert_into_sql(source, target) }}
    {%- else -%}
    {{ get_merge_sql(target, source, unique_key, none, [touched('DBT_INTERNAL_DEST')]) }}
    {%- endif -%}
{%- endmacro %}

{#- Takes the place of dbt's own, which asks the table for its columns: Sail does not answer that.
    The columns are named, for Sail keeps a table's partition columns at its end. -#}
{% macro get_insert_into_sql(source_relation, target_relation) -%}
    {%- set names = model.columns.keys() | join(', ') -%}
    {%- if var('answers') -%}
    {{ rows_in_files('appended', 'select ' ~ names ~ ' from ' ~ source_relation) }}
    {%- else -%}
    insert into {{ target_relation }} ({{ names }})
    select {{ names }} from {{ source_relation }}
    {%- endif -%}
{%- endmacro %}
