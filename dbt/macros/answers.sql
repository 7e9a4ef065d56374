{#- What a model's query answered goes through files on Sail, which takes three times as long to
    write Delta's files itself, and computes what it merges again and again; see
    docs/decisions/0023. -#}

{#- The format that costs least to write; lakehouse/scratch.py has it, too. -#}
{% macro cheap_files() -%}
    using parquet options ('compression' = 'lz4_raw', 'dictionary_enabled' = 'false')
{%- endmacro %}

{#- Files of rows for the model's table: lakehouse/transform.py makes them part of it, as `how`
    says. -#}
{% macro rows_in_files(how, query) -%}
    {%- call statement('forget') -%}
    drop table if exists {{ model.name }}__{{ how }}
    {%- endcall -%}
    create table {{ model.name }}__{{ how }}
    {{ cheap_files() }}
    {{ partition_cols(label="partitioned by") }}
    location '{{ var('answers') }}/{{ how }}/{{ model.name }}'
    as {{ query }}
{%- endmacro %}

{#- Takes the place of dbt-spark's own. -#}
{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- if temporary or not var('answers') -%}
    {{ dbt.spark__create_table_as(temporary, relation, compiled_code, language) }}
    {%- else -%}
    {{ get_assert_columns_equivalent(compiled_code) }}
    {%- call statement('mark') -%}
    insert overwrite directory '{{ var('answers') }}/anew/{{ model.name }}' using parquet select 1
    {%- endcall -%}
    {{ rows_in_files('created', get_select_subquery(compiled_code)) }}
    {%- endif -%}
{%- endmacro %}

{#- Takes the place of dbt-spark's own. The view names the columns, for Sail writes no file where
    there is no row. -#}
{% macro spark__create_temporary_view(relation, compiled_code) -%}
    {%- if not var('answers') or is_appended() %}
    create or replace temporary view {{ relation }} as
        {{ compiled_code }}
    {%- else %}
    {%- set folder = var('answers') ~ '/merged/' ~ model.name %}
    {%- call statement('answer') %}
    insert overwrite directory '{{ folder }}'
    {{ cheap_files() }}
    {{ compiled_code }}
    {%- endcall %}
    create or replace temporary view {{ relation }} (
        {%- for name in model.columns %}
        {{ name }} {{ model.columns[name].data_type }}{{ ',' if not loop.last }}
        {%- endfor %}
    ) using parquet options (path '{{ folder }}')
    {%- endif %}
{%- endmacro %}
