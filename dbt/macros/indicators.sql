{#- The argument of technical_indicators(), as lakehouse/indicators registers it. -#}

{% macro candle_columns() -%}
    {{ return([
        'asset_pair', 'timeframe', 'timestamp', 'open', 'high', 'low', 'close', 'volume',
        'provider', 'batch_id',
    ]) }}
{%- endmacro %}

{% macro settled_columns() -%}
    {{ return([
        'ema_12', 'ema_26', 'macd_signal', 'avg_gain_14', 'avg_loss_14', 'atr_14',
        'avg_plus_dm_14', 'avg_minus_dm_14', 'adx_14', 'natr_14', 'market_regime',
    ]) }}
{%- endmacro %}

{% macro not_settled() -%}
    cast(null as struct<
        {%- for name in settled_columns() -%}
        {{ name }}: {{ 'string' if name == 'market_regime' else 'double' }}
        {{- ', ' if not loop.last }}
        {%- endfor -%}
    >)
{%- endmacro %}
