with

news as ({{ news_by_asset() }}),

readings as (

    select
        enriched.asset_pair,
        enriched.timeframe,
        {{ closed_at('enriched.timeframe', 'enriched.timestamp') }} as closed_at,
        {{ trend('macd', 'close') }} as trend,
        rsi_14 as rsi,
        market_regime as regime
    from {{ ref('market_data_enriched') }} as enriched
    {%- if is_incremental() %}
    -- A reading is heeded for two steps, and no step is longer than a day.
    inner join news
        on enriched.asset_pair = news.asset_pair
        and enriched.timestamp >= news.since - interval 3 days
    where enriched.timestamp >= {{ since_min() }} - interval 3 days
    {%- endif %}

),

gathered as (

    select
        asset_pair,
        collect_list(struct(
            timeframe,
            closed_at,
            {{ numbered('trend', trends()) }} as trend,
            rsi,
            {{ numbered('regime', regimes()) }} as regime
        )) as readings
    from readings
    group by asset_pair

),

known as (

    select asset_pair, inline(last_readings(readings))
    from gathered

),

counted as (

    select
        known.*
        {%- for direction in ('up', 'down') %},
        {% for name in timeframes() -%}
        case when trend_{{ name }} = {{ number_of(direction, trends()) }} then 1 else 0 end
        {{- ' + ' if not loop.last }}
        {%- endfor %} as count_{{ direction }}
        {%- endfor %}
    from known
    {%- if is_incremental() %}
    inner join news
        on known.asset_pair = news.asset_pair
        and known.timestamp >= news.closed_since
    {%- endif %}

),

described as (

    select
        asset_pair,
        timestamp,
        {%- for name in timeframes() %}
        {{ worded('trend_' ~ name, trends()) }} as trend_{{ name }},
        rsi_{{ name }},
        {{ worded('regime_' ~ name, regimes()) }} as regime_{{ name }},
        {%- endfor %}
        cast(greatest(count_up, count_down) as int) as confluence,
        case
            when count_up > count_down then 'up'
            when count_down > count_up then 'down'
            else 'mixed'
        end as confluence_trend
    from counted

)

{{ changed_rows('described') }}
