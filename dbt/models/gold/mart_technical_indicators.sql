with

{%- if is_incremental() %}

news as ({{ arrivals() }}),

looked_back_on as (

    {{- looked_back_on(ref('market_data_enriched'), ['*']) }}

),

{%- endif %}

candles as (

    select
        enriched.*,
        lag(macd_histogram) over (
            partition by enriched.asset_pair, enriched.timeframe order by enriched.timestamp
        ) as previous_histogram
        {%- if is_incremental() %},
        news.since
        {%- endif %}
    {%- if is_incremental() %}
    from looked_back_on as enriched
    inner join news
        on enriched.asset_pair = news.asset_pair
        and enriched.timeframe = news.timeframe
        and enriched.timestamp >= news.lookback_from
    {%- else %}
    from {{ ref('market_data_enriched') }} as enriched
    {%- endif %}

),

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
        case
            when macd_histogram > 0 and previous_histogram <= 0 then 'up'
            when macd_histogram < 0 and previous_histogram >= 0 then 'down'
        end as macd_cross,
        (close - bollinger_lower) / nullif(bollinger_upper - bollinger_lower, 0)
            as bollinger_position
    from candles
    {%- if is_incremental() %}
    where timestamp >= since
    {%- endif %}

)

{{ changed_rows('described') }}
