with

arrived as (

    select *, {{ not_settled() }} as settled
    from {{ ref('stg_market_data') }}

),

{%- if is_incremental() %}

looked_back_on as (

    {{- candles_from('lookback_from', this, candle_columns() + settled_columns()) }}

),

settled as (

    select
        {%- for name in candle_columns() %}
        old.{{ name }},
        {%- endfor %}
        struct({{ settled_columns() | join(', ') }}) as settled
    from looked_back_on as old
    inner join ({{ arrivals() }}) as arrivals
        on old.asset_pair = arrivals.asset_pair
        and old.timeframe = arrivals.timeframe
        and old.timestamp >= arrivals.lookback_from
        and old.timestamp < arrivals.since

),

{%- endif %}

candles as (

    select * from arrived
    {%- if is_incremental() %}
    union all
    select * from settled
    {%- endif %}

),

series as (

    select
        asset_pair,
        timeframe,
        collect_list(struct(
            timestamp, open, high, low, close, volume, provider, batch_id, settled
        )) as candles
    from candles
    group by asset_pair, timeframe

),

enriched as (

    select asset_pair, timeframe, inline(technical_indicators(candles))
    from series

),

-- Spark gives a Python function's strings a collation of their own, which no other reader knows.
described as (

    select
        {%- set added = ('hour', 'day_of_week', 'created_at', 'updated_at') %}
        {%- for name in model.columns if name not in added %}
        cast({{ name }} as {{ model.columns[name].data_type }}) as {{ name }},
        {%- endfor %}
        cast(hour(timestamp) as int) as hour,
        -- weekday() counts from another day on Sail; 1970-01-05 was a Monday.
        cast(pmod(datediff(to_date(timestamp), date '1970-01-05'), 7) + 1 as int) as day_of_week
    from enriched

)

{{ changed_rows('described') }}
