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
        max(case when timeframe = '{{ name }}' then closed_at end) as closed_{{ name }}
        {%- endfor %}
    from readings
    group by asset_pair, closed_at

),

latest as (

    select
        asset_pair,
        timestamp
        {%- for name in timeframes() %},
        max(closed_{{ name }}) over (
            partition by asset_pair order by timestamp
            rows between unbounded preceding and current row
        ) as closed_{{ name }}
        {%- endfor %}
    from closings

),

heeded as (

    select
        latest.asset_pair,
        latest.timestamp
        {%- for name in timeframes() %},
        of_{{ name }}.trend as trend_{{ name }},
        of_{{ name }}.rsi as rsi_{{ name }},
        of_{{ name }}.regime as regime_{{ name }}
        {%- endfor %}
    from latest
    {%- if is_incremental() %}
    inner join news
        on latest.asset_pair = news.asset_pair
        and latest.timestamp >= news.closed_since
    {%- endif %}
    {%- for name, length in timeframes().items() %}
    left join readings as of_{{ name }}
        on of_{{ name }}.timeframe = '{{ name }}'
        and latest.asset_pair = of_{{ name }}.asset_pair
        and latest.closed_{{ name }} = of_{{ name }}.closed_at
        and latest.timestamp <= of_{{ name }}.closed_at + {{ length }} + {{ length }}
    {%- endfor %}

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
