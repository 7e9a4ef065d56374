{#- The six lengths of a candle, and arithmetic on them. -#}

{% macro timeframes() -%}
    {{ return({
        '1m': 'interval 1 minute',
        '5m': 'interval 5 minutes',
        '15m': 'interval 15 minutes',
        '1h': 'interval 1 hour',
        '4h': 'interval 4 hours',
        '1d': 'interval 1 day',
    }) }}
{%- endmacro %}

{% macro closed_at(timeframe, timestamp) -%}
    case {{ timeframe }}
        {%- for name, length in timeframes().items() %}
        when '{{ name }}' then {{ timestamp }} + {{ length }}
        {%- endfor %}
    end
{%- endmacro %}

{% macro candles_a_day(timeframe) -%}
    case {{ timeframe }}
        when '1m' then 1440
        when '5m' then 288
        when '15m' then 96
        when '1h' then 24
        when '4h' then 6
        when '1d' then 1
    end
{%- endmacro %}
