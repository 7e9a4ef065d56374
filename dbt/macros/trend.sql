{#- Direction of the close: its faster average against its slower one. -#}
{% macro trend(macd) -%}
    case when {{ macd }} > 0 then 'up' when {{ macd }} < 0 then 'down' when {{ macd }} = 0 then 'flat' end
{%- endmacro %}
