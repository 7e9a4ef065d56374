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
    {%- endif %}
    where
        enriched.market_regime is not null
        {%- if is_incremental() %}
        and enriched.timestamp >= date_trunc('month', {{ since_min() }})
        {%- endif %}

),

regimes as (

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

described as (

    select
        *,
        candle_count / sum(candle_count) over (partition by asset_pair, timeframe, month)
            as share_of_month
    from regimes

)

{{ changed_rows('described', 'old.month >= to_date(date_trunc(\'month\', ' ~ since_min() ~ '))') }}
