{#- Takes the place of dbt-spark's own, whose view is computed again each time that a MERGE reads it.
    Spark keeps what it read; for Sail the answer goes through files, in the format that costs least
    to write. The view names the columns, for Sail writes no file where there is no row. -#}
{% macro spark__create_temporary_view(relation, compiled_code) -%}
    {%- if not var('answers') or is_appended() %}
    create or replace temporary view {{ relation }} as
        {{ compiled_code }}
    {%- else %}
    {%- set folder = var('answers') ~ '/' ~ model.name %}
    {%- call statement('answer') %}
    insert overwrite directory '{{ folder }}'
    using parquet options ('compression' = 'lz4_raw', 'dictionary_enabled' = 'false')
    {{ compiled_code }}
    {%- endcall %}
    create or replace temporary view {{ relation }} (
        {%- for name in model.columns %}
        {{ name }} {{ model.columns[name].data_type }}{{ ',' if not loop.last }}
        {%- endfor %}
    ) using parquet options (path '{{ folder }}')
    {%- endif %}
{%- endmacro %}
