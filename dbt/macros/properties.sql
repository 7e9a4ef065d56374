{#- Takes the place of dbt-spark's own, to add which columns the log tells the bounds of; see
    told_columns in lakehouse/tables/table.py. -#}
{% macro spark__tblproperties_clause() -%}
    {%- set types = ['string', 'timestamp', 'date', 'int', 'bigint'] -%}
    {%- set partition_by = config.get('partition_by') or [] -%}
    {%- set told = [] -%}
    {%- for name in model.columns
        if model.columns[name].data_type in types and name not in partition_by -%}
        {%- do told.append(name) -%}
    {%- endfor -%}
    tblproperties (
        {%- for name, value in config.get('tblproperties').items() %}
        '{{ name }}' = '{{ value }}',
        {%- endfor %}
        'delta.dataSkippingStatsColumns' = '{{ told | join(',') }}'
    )
{%- endmacro %}
