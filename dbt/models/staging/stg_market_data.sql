with

versions as (

    {%- for timeframe in arrived_timeframes() %}
    select
        asset_pair, timeframe, timestamp, open, high, low, close, volume,
        provider, batch_id, ingested_at
    from {{ source('bronze', 'raw_market_data_' ~ timeframe) }}
    where {{ is_in_slice('timestamp', timeframe) }}
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

-- The last version of a candle is followed by another candle. One sort of each series tells, where
-- ranking the versions of each candle would make a group of each.
followed as (

    select
        *,
        lead(timestamp) over (
            partition by asset_pair, timeframe
            order by timestamp, {{ provider_rank('provider') }} desc, ingested_at
        ) as next_timestamp
    from arrived

)

select asset_pair, timeframe, timestamp, open, high, low, close, volume, provider, batch_id
from followed
where next_timestamp is null or next_timestamp <> timestamp
