with

news as ({{ arrivals() }}),

candles as (

    select
        enriched.*,
        to_date(date_trunc('month', enriched.timestamp)) as month
    from {{ ref('market_data_enriched') }} as enriched
    {%- if is_incremental() %}
    inner join news
        on enriched.asset_pair = news.asset_pair
        and enriched.timeframe = news.timeframe
        and enriched.timestamp >= date_trunc('month', news.since)
    where
        {{ has_news('enriched.timeframe') }}
        and enriched.timestamp >= {{ since_month() }}
    {%- endif %}

),

-- Every month has a row for each regime, so that one that a correction empties is seen to be empty.
months as (

    select distinct candles.asset_pair, candles.timeframe, candles.month, regimes.market_regime
    from candles
    cross join (values ('trend'), ('range'), ('volatile')) as regimes (market_regime)

),

statistics as (

    select
        months.asset_pair,
        months.timeframe,
        months.month,
        months.market_regime,
        count(candles.timestamp) as candle_count,
        sum(case when candles.is_regime_start then 1 else 0 end) as times_entered,
        avg(candles.log_return) as mean_log_return,
        stddev_pop(candles.log_return) as volatility,
        avg(candles.adx_14) as mean_adx,
        avg(candles.natr_14) as mean_natr
    from months
    left join candles
        on months.asset_pair = candles.asset_pair
        and months.timeframe = candles.timeframe
        and months.month = candles.month
        and months.market_regime = candles.market_regime
    group by months.asset_pair, months.timeframe, months.month, months.market_regime

),

described as (

    select
        *,
        candle_count
        / nullif(sum(candle_count) over (partition by asset_pair, timeframe, month), 0)
            as share_of_month
    from statistics

)

{{ changed_rows('described') }}
