{#- Where a model's table lies: in the lake that this run is for. It replaces dbt-spark's own, which
    reads it from the project's settings; those are fixed by parsing, and parsed anew for each
    lake. -#}
{% macro spark__location_clause() -%}
    location '{{ env_var("LAKEHOUSE_LAKE") }}/{{ model.schema }}/{{ model.alias }}'
{%- endmacro %}
