{#- Versions of tables as they were before a build, by Delta's time travel. -#}

{#- market_data_enriched as readers of releases know it; without rows where the build replaces
    nothing that they know. -#}
{% macro released(relation) -%}
    {%- if is_replacing() -%}
    {{ relation }} version as of {{ var('released_version') }}
    {%- else -%}
    (select * from {{ relation }} where false)
    {%- endif -%}
{%- endmacro %}

{% macro is_replacing() -%}
    {{ return(var('released_version') >= 0) }}
{%- endmacro %}

{#- A column of market_data_enriched as readers of releases know it. -#}
{% macro released_column(alias, name, data_type) -%}
    {%- if name in var('lacking').get('silver.market_data_enriched', []) -%}
    cast(null as {{ data_type }}) as {{ name }}
    {%- else -%}
    {{ alias }}.{{ name }}
    {%- endif -%}
{%- endmacro %}

{#- The version of the model's table that a refresh began with; none where there is nothing to
    remember, or no refresh. -#}
{% macro version_before() -%}
    {{ return(var('versions_before').get(model.schema ~ '.' ~ model.name)) }}
{%- endmacro %}

{#- The columns that the model has got since that version. -#}
{% macro columns_since_before() -%}
    {%- set lacking = var('lacking').get(model.schema ~ '.' ~ model.name, []) -%}
    {{ return(lacking if version_before() is not none else []) }}
{%- endmacro %}
