with

news as ({{ news_by_asset() }}),

candles as (

    select
        enriched.*,
        to_date(enriched.timestamp) as date,
        {{ candles_a_day('enriched.timeframe') }} as candles_a_day
    from {{ ref('market_data_enriched') }} as enriched
    {%- if is_incremental() %}
    inner join news
        on enriched.asset_pair = news.asset_pair
        and to_date(enriched.timestamp) >= to_date(news.since)
    where enriched.timestamp >= {{ since_day() }}
    {%- endif %}

),

days as (

    select
        asset_pair,
        date,
        timeframe as source_timeframe,
        min_by(open, timestamp) as open,
        max(high) as high,
        min(low) as low,
        max_by(close, timestamp) as close,
        sum(volume) as volume,
        sum((high + low + close) / 3 * volume) / nullif(sum(volume), 0) as vwap,
        count(*) as candle_count,
        count(*) / max(candles_a_day) as coverage,
        sqrt(sum(log_return * log_return)) as realised_volatility,
        max(candles_a_day) as candles_a_day
    from candles
    group by asset_pair, date, timeframe

),

compared as (

    select *, max(candles_a_day) over (partition by asset_pair, date) as finest
    from days

),

described as (

    select
        asset_pair,
        date,
        source_timeframe,
        open,
        high,
        low,
        close,
        volume,
        vwap,
        candle_count,
        coverage,
        realised_volatility,
        close / open - 1 as daily_return,
        (high - low) / open as daily_range
    from compared
    where candles_a_day = finest

)

{{ changed_rows('described') }}
