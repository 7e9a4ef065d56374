{#- Direction of the close: its faster average against its slower one.

    Averages that meet differ by rounding only: less than a billionth of the price is `flat`. -#}
{% macro trend(macd, close) -%}
    case
        when abs({{ macd }}) <= 1e-9 * {{ close }} then 'flat'
        when {{ macd }} > 0 then 'up'
        when {{ macd }} < 0 then 'down'
    end
{%- endmacro %}
