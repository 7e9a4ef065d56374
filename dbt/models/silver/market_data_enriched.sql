with

arrived as (

    select
        asset_pair,
        timeframe,
        collect_list({{ candle_struct() }}) as candles
    from {{ ref('stg_market_data') }}
    group by asset_pair, timeframe

),

{%- if is_incremental() %}

settled as (

    select
        old.asset_pair,
        old.timeframe,
        collect_list({{ candle_struct('old.natr_14') }}) as candles,
        max_by(struct({{ settled_columns() | join(', ') }}), timestamp) as settled
    from {{ this }} as old
    inner join ({{ arrivals() }}) as arrivals
        on old.asset_pair = arrivals.asset_pair
        and old.timeframe = arrivals.timeframe
        and old.timestamp >= arrivals.lookback_from
        and old.timestamp < arrivals.since
    group by old.asset_pair, old.timeframe

),

{%- endif %}

enriched as (

    select
        arrived.asset_pair,
        arrived.timeframe,
        {%- if is_incremental() %}
        inline(technical_indicators(
            concat(coalesce(settled.candles, array()), arrived.candles), settled.settled
        ))
    from arrived
    left join settled
        on arrived.asset_pair = settled.asset_pair
        and arrived.timeframe = settled.timeframe
        {%- else %}
        inline(technical_indicators(arrived.candles, {{ nothing_settled() }}))
    from arrived
        {%- endif %}

),

described as (

    select
        {%- for name in model.columns if name not in ('hour', 'day_of_week', 'created_at', 'updated_at') %}
        {{ name }},
        {%- endfor %}
        hour(timestamp) as hour,
        weekday(timestamp) + 1 as day_of_week
    from enriched

)

{{ changed_rows('described', 'old.timestamp >= ' ~ since_min()) }}
