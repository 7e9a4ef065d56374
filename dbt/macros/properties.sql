{#- Takes the place of dbt-spark's own, to add which columns the log tells the bounds of; see
    Table.told_columns in lakehouse/tables/table.py, which lakehouse/transform.py passes on. -#}
{% macro spark__tblproperties_clause() -%}
    {%- set told = var('told_columns')[model.schema ~ '.' ~ model.name] -%}
    tblproperties (
        {%- for name, value in config.get('tblproperties').items() %}
        '{{ name }}' = '{{ value }}',
        {%- endfor %}
        'delta.dataSkippingStatsColumns' = '{{ told | join(',') }}'
    )
{%- endmacro %}
