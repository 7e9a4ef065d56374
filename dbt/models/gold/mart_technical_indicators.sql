with

{%- if is_incremental() %}

news as ({{ arrivals() }}),

recent as (

    {{- candles_from('since', ref('market_data_enriched'), ['*']) }}

),

candles as (

    select recent.*
    from recent
    inner join news
        on recent.asset_pair = news.asset_pair
        and recent.timeframe = news.timeframe
        and recent.timestamp >= news.since

),

{%- else %}

candles as (

    select * from {{ ref('market_data_enriched') }}

),

{%- endif %}

described as (

    select
        asset_pair,
        timeframe,
        timestamp,
        close,
        sma_20,
        ema_12,
        ema_26,
        rsi_14,
        macd,
        macd_signal,
        macd_histogram,
        bollinger_upper,
        bollinger_middle,
        bollinger_lower,
        atr_14,
        natr_14,
        adx_14,
        plus_di_14,
        minus_di_14,
        market_regime,
        {{ trend('macd', 'close') }} as trend,
        case
            when rsi_14 > 70 then 'overbought'
            when rsi_14 < 30 then 'oversold'
            when rsi_14 is not null then 'neutral'
        end as rsi_zone,
        macd_cross,
        (close - bollinger_lower) / nullif(bollinger_upper - bollinger_lower, 0)
            as bollinger_position
    from candles

)

{{ changed_rows('described') }}
