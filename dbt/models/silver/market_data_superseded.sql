with

news as ({{ arrivals() }}),

released as (

    select released.*
    from {{ released(ref('market_data_enriched')) }} as released
    inner join news
        on released.asset_pair = news.asset_pair
        and released.timeframe = news.timeframe
        and released.timestamp >= news.since
    where {{ touched('released') }}
    -- What lies behind the slice is not recomputed yet.
    {%- if var('until') %}
        and released.timestamp < timestamp '{{ var('until') }}'
    {%- endif %}

),

replaced as (

    select
        {%- set added = ('known_from', 'known_until', 'is_first', 'created_at', 'updated_at') %}
        {%- for name in model.columns if name not in added %}
        {{ released_column('released', name, model.columns[name].data_type) }},
        {%- endfor %}
        released.updated_at as known_from,
        -- Where a gate withdrew the candle, there is no other value.
        coalesce(present.updated_at, timestamp '{{ var('built_at') }}') as known_until,
        released.created_at = released.updated_at as is_first
    from released
    left join {{ ref('market_data_enriched') }} as present
        on {{ touched('present') }}
        and released.asset_pair = present.asset_pair
        and released.timeframe = present.timeframe
        and released.timestamp = present.timestamp
    where not released.updated_at <=> present.updated_at

)

{{ changed_rows('replaced') }}
