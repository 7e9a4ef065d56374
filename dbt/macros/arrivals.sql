{#- What bronze brought since the last build: `since` says from which candle on, by timeframe. -#}

{#- Whether this build adds to the last one. An ephemeral model cannot ask is_incremental(). -#}
{% macro is_increment() -%}
    {{ return(var('since') | length > 0) }}
{%- endmacro %}

{% macro arrived_timeframes() -%}
    {{ return(var('since').keys() | list if is_increment() else timeframes().keys() | list) }}
{%- endmacro %}

{#- The earliest news of any timeframe, as a literal by which files are left unread. -#}
{% macro since_min() -%}
    timestamp '{{ var('since').values() | min if var('since') else '1970-01-01 00:00:00' }}'
{%- endmacro %}

{% macro arrivals() -%}
    select asset_pair, timeframe, since, lookback_from
    from {{ source('ops', 'arrivals') }}
    where build_id = '{{ var('build_id') }}'
{%- endmacro %}

{#- By asset, the first moment at which something it knows is new, and the first of its days. -#}
{% macro news_by_asset() -%}
    select
        asset_pair,
        min(since) as since,
        min({{ closed_at('timeframe', 'since') }}) as closed_since,
        min(lookback_from) as lookback_from
    from ({{ arrivals() }}) as arrivals
    group by asset_pair
{%- endmacro %}
