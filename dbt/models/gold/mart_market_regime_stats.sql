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

observed as (

    select
        asset_pair,
        timeframe,
        month,
        market_regime,
        count(*) as candle_count,
        sum(case when is_regime_start then 1 else 0 end) as times_entered,
        avg(log_return) as mean_log_return,
        stddev_pop(log_return) as volatility,
        avg(adx_14) as mean_adx,
        avg(natr_14) as mean_natr
    from candles
    group by asset_pair, timeframe, month, market_regime

),

-- Every month has a row for each regime, so that one that a correction empties is seen to be empty.
months as (

    select distinct observed.asset_pair, observed.timeframe, observed.month, regimes.market_regime
    from observed
    cross join (values ('trend'), ('range'), ('volatile')) as regimes (market_regime)

),

statistics as (

    select
        months.asset_pair,
        months.timeframe,
        months.month,
        months.market_regime,
        coalesce(observed.candle_count, 0) as candle_count,
        coalesce(observed.times_entered, 0) as times_entered,
        observed.mean_log_return,
        observed.volatility,
        observed.mean_adx,
        observed.mean_natr
    from months
    left join observed
        on months.asset_pair = observed.asset_pair
        and months.timeframe = observed.timeframe
        and months.month = observed.month
        and months.market_regime = observed.market_regime

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
