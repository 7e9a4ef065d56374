{#- What bronze brought since the last build: `since` says from which candle on, by timeframe. -#}

{#- Whether this build adds to the last one. An ephemeral model cannot ask is_incremental(). -#}
{% macro is_increment() -%}
    {{ return(var('since') | length > 0) }}
{%- endmacro %}

{% macro arrived_timeframes() -%}
    {{ return(var('since').keys() | list if is_increment() else timeframes().keys() | list) }}
{%- endmacro %}

{#- The earliest news of any timeframe, its day and its month, as literals: an engine leaves those
    files unread whose statistics lie before them. -#}
{% macro earliest_news() -%}
    {{ return(var('since').values() | min if is_increment() else '1970-01-01 00:00:00') }}
{%- endmacro %}

{% macro since_min() -%}
    timestamp '{{ earliest_news() }}'
{%- endmacro %}

{% macro since_day() -%}
    date '{{ earliest_news()[:10] }}'
{%- endmacro %}

{% macro since_month() -%}
    date '{{ earliest_news()[:7] }}-01'
{%- endmacro %}

{#- A condition on a table partitioned by timeframe: it holds only what has news. -#}
{% macro has_news(timeframe) -%}
    {{ timeframe }} in ('{{ arrived_timeframes() | join("', '") }}')
{%- endmacro %}

{#- Whether a candle of the timeframe may be among those that the build takes in now. -#}
{% macro is_in_slice(timestamp, timeframe) -%}
    {{ timestamp }} >= timestamp '{{ var('since').get(timeframe, '1970-01-01 00:00:00') }}'
    {%- if var('until') %} and {{ timestamp }} < timestamp '{{ var('until') }}'{% endif -%}
{%- endmacro %}

{#- Columns of the candles from the first of the arrivals on (`since`), or from the first that they
    are computed from (`lookback_from`). Each timeframe is read by itself: one with news of long ago
    does not make the others go back there. -#}
{% macro candles_from(start, relation, columns) -%}
    {%- for timeframe in arrived_timeframes() %}
    {%- set first = var(start).get(timeframe, '1970-01-01 00:00:00') %}
    select {{ columns | join(', ') }}
    from {{ relation }}
    where timeframe = '{{ timeframe }}' and timestamp >= timestamp '{{ first }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
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
