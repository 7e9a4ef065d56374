{#- What technical_indicators() needs, as lakehouse/indicators registers it with the session. -#}

{% macro candle_struct(natr_14='cast(null as double)') -%}
    struct(
        timestamp, open, high, low, close, volume, provider, batch_id, {{ natr_14 }} as natr_14
    )
{%- endmacro %}

{% macro settled_columns() -%}
    {{ return([
        'timestamp', 'market_regime', 'ema_12', 'ema_26', 'macd_signal', 'avg_gain_14',
        'avg_loss_14', 'atr_14', 'avg_plus_dm_14', 'avg_minus_dm_14', 'adx_14',
    ]) }}
{%- endmacro %}

{% macro nothing_settled() -%}
    cast(null as struct<
        {%- for name in settled_columns() -%}
        {{ name }}: {{ {'timestamp': 'timestamp', 'market_regime': 'string'}.get(name, 'double') }}
        {{- ', ' if not loop.last }}
        {%- endfor -%}
    >)
{%- endmacro %}
