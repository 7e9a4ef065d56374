with

versions as (

    {%- for timeframe in arrived_timeframes() %}
    select
        asset_pair, timeframe, timestamp, open, high, low, close, volume,
        provider, batch_id, ingested_at
    from {{ source('bronze', 'raw_market_data_' ~ timeframe) }}
    {%- if is_increment() %}
    where timestamp >= timestamp '{{ var('since')[timeframe] }}'
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

arrived as (

    {%- if is_increment() %}
    select versions.*
    from versions
    inner join ({{ arrivals() }}) as arrivals
        on versions.asset_pair = arrivals.asset_pair
        and versions.timeframe = arrivals.timeframe
        and versions.timestamp >= arrivals.since
    {%- else %}
    select * from versions
    {%- endif %}

),

ranked as (

    select
        *,
        row_number() over (
            partition by asset_pair, timeframe, timestamp
            order by {{ provider_rank('provider') }}, ingested_at desc
        ) as place
    from arrived

)

select asset_pair, timeframe, timestamp, open, high, low, close, volume, provider, batch_id
from ranked
where place = 1
