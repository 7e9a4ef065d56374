{#- Words as small numbers and back: a Python function takes and returns them at half the cost. -#}

{% macro trends() -%}
    {{ return(['up', 'down', 'flat']) }}
{%- endmacro %}

{% macro regimes() -%}
    {{ return(['trend', 'range', 'volatile']) }}
{%- endmacro %}

{% macro number_of(word, words) -%}
    {{ words.index(word) }}
{%- endmacro %}

{% macro numbered(expression, words) -%}
    cast(case {{ expression }}
        {%- for word in words %}
        when '{{ word }}' then {{ number_of(word, words) }}
        {%- endfor %}
    end as tinyint)
{%- endmacro %}

{% macro worded(expression, words) -%}
    case {{ expression }}
        {%- for word in words %}
        when {{ number_of(word, words) }} then '{{ word }}'
        {%- endfor %}
    end
{%- endmacro %}
