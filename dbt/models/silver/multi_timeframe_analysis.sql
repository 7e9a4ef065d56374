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

closings as (

    select
        asset_pair,
        closed_at as timestamp
        {%- for name in timeframes() %},
        max(case when timeframe = '{{ name }}' then struct(closed_at, trend, rsi, regime) end)
            as closed_{{ name }}
        {%- endfor %}
    from readings
    group by asset_pair, closed_at

),

latest as (

    select
        asset_pair,
        timestamp
        {%- for name in timeframes() %},
        last_value(closed_{{ name }}) ignore nulls over (
            partition by asset_pair order by timestamp
            rows between unbounded preceding and current row
        ) as closed_{{ name }}
        {%- endfor %}
    from closings

),

-- Field by field: Sail reads a field of a struct that a condition has made null as if it had not.
heeded as (

    select
        latest.asset_pair,
        latest.timestamp
        {%- for name, length in timeframes().items() %}
        {%- set is_heeded %}latest.timestamp <= closed_{{ name }}.closed_at + {{ length }} + {{ length }}{% endset %}
        {%- for field in ('trend', 'rsi', 'regime') %},
        case when {{ is_heeded }} then closed_{{ name }}.{{ field }} end as {{ field }}_{{ name }}
        {%- endfor %}
        {%- endfor %}
    from latest
    {%- if is_incremental() %}
    inner join news
        on latest.asset_pair = news.asset_pair
        and latest.timestamp >= news.closed_since
    {%- endif %}

),

counted as (

    select
        *
        {%- for direction in ('up', 'down') %},
        {% for name in timeframes() -%}
        case when trend_{{ name }} = '{{ direction }}' then 1 else 0 end
        {{- ' + ' if not loop.last }}
        {%- endfor %} as count_{{ direction }}
        {%- endfor %}
    from heeded

),

described as (

    select
        asset_pair,
        timestamp,
        {%- for name in timeframes() %}
        trend_{{ name }},
        rsi_{{ name }},
        regime_{{ name }},
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
