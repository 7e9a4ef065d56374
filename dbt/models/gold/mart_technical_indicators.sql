with

news as ({{ arrivals() }}),

candles as (

    select
        enriched.*,
        lag(macd_histogram) over (
            partition by enriched.asset_pair, enriched.timeframe order by enriched.timestamp
        ) as previous_histogram
        {%- if is_incremental() %},
        news.since
        {%- endif %}
    from {{ ref('market_data_enriched') }} as enriched
    {%- if is_incremental() %}
    inner join news
        on enriched.asset_pair = news.asset_pair
        and enriched.timeframe = news.timeframe
        and enriched.timestamp >= news.lookback_from
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
        {{ trend('macd') }} as trend,
        case when rsi_14 > 70 then 'overbought' when rsi_14 < 30 then 'oversold' else 'neutral' end
            as rsi_zone,
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

{{ changed_rows('described', 'old.timestamp >= ' ~ since_min()) }}
