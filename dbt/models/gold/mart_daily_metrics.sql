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

finest as (

    select asset_pair, date, max(candles_a_day) as candles_a_day
    from candles
    group by asset_pair, date

),

days as (

    select
        candles.asset_pair,
        candles.date,
        candles.timeframe as source_timeframe,
        min_by(candles.open, candles.timestamp) as open,
        max(candles.high) as high,
        min(candles.low) as low,
        max_by(candles.close, candles.timestamp) as close,
        sum(candles.volume) as volume,
        sum((candles.high + candles.low + candles.close) / 3 * candles.volume)
            / nullif(sum(candles.volume), 0) as vwap,
        count(*) as candle_count,
        count(*) / max(candles.candles_a_day) as coverage,
        sqrt(sum(candles.log_return * candles.log_return)) as realised_volatility
    from candles
    inner join finest
        on candles.asset_pair = finest.asset_pair
        and candles.date = finest.date
        and candles.candles_a_day = finest.candles_a_day
    group by candles.asset_pair, candles.date, candles.timeframe

),

described as (

    select *, close / open - 1 as daily_return, (high - low) / open as daily_range
    from days

)

{{ changed_rows('described') }}
