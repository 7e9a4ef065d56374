"""The tables in DuckDB's SQL.

Times have no zone here, they are UTC: arithmetic on others wants an extension to be downloaded.
"""

from __future__ import annotations

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440}
VALUES = "open, high, low, close, volume"

RAW = f"""
with
    lengths as (from (values {", ".join(map(str, MINUTES.items()))}) as v (timeframe, minutes)),
    read as (
        select
            make_timestamp(epoch_us(timestamp)) as timestamp, open, high, low, close, volume,
            parse_filename(filename) as batch_id, string_split(batch_id, '-') as parts
        from read_parquet($files, filename = true)
    ),
    candles as (select *, regexp_replace(parts[1], 'T$', '') as asset_pair from read),
    valid as (
        select asset_pair, lengths.timeframe, timestamp, {VALUES}, batch_id
        from candles
        join lengths on lengths.timeframe = parts[2]
        where isfinite(open) and isfinite(high) and isfinite(low) and isfinite(close)
            and isfinite(volume)
            and low > 0 and low <= least(open, close) and high >= greatest(open, close)
            and volume >= 0
            and epoch_us(timestamp) % (60_000_000::bigint * minutes) = 0
            and timestamp + to_minutes(minutes) <= $now
    )
select asset_pair, timeframe, timestamp, {VALUES}, min(batch_id) as batch_id
from valid
group by all
"""

BRONZE = f"""
select
    asset_pair, timestamp, {VALUES}, 'file' as provider, timeframe, $now as ingested_at,
    batch_id, timestamp::date as partition_date, asset_pair as partition_asset_pair
from raw
where timeframe = $timeframe
"""

SERIES = f"""
select asset_pair, timeframe, timestamp, {VALUES}, 'file' as provider, batch_id
from raw
order by asset_pair, timeframe, timestamp
"""

TREND = """
case
    when abs(macd) <= 1e-9 * close then 'flat' when macd > 0 then 'up' when macd < 0 then 'down'
end as trend
"""

TECHNICAL_INDICATORS = f"""
select
    asset_pair, timeframe, timestamp, close, sma_20, ema_12, ema_26, rsi_14, macd, macd_signal,
    macd_histogram, bollinger_upper, bollinger_middle, bollinger_lower, atr_14, natr_14, adx_14,
    plus_di_14, minus_di_14, market_regime, {TREND},
    case
        when rsi_14 > 70 then 'overbought'
        when rsi_14 < 30 then 'oversold'
        when rsi_14 is not null then 'neutral'
    end as rsi_zone,
    case
        when macd_histogram > 0 and lag(macd_histogram) over in_order <= 0 then 'up'
        when macd_histogram < 0 and lag(macd_histogram) over in_order >= 0 then 'down'
    end as macd_cross,
    (close - bollinger_lower) / nullif(bollinger_upper - bollinger_lower, 0)
        as bollinger_position
from silver
window in_order as (partition by asset_pair, timeframe order by timestamp)
"""


def by_timeframe(parts: str, between: str = ", ", minutes: int = 1) -> str:
    """The text for each timeframe; {step} is its length, in minutes, times `minutes`."""
    return between.join(
        parts.format(name=name, step=length * minutes) for name, length in MINUTES.items()
    )


HEEDED = by_timeframe(
    "of_{name}.trend as trend_{name}, of_{name}.rsi as rsi_{name}, "
    "of_{name}.regime as regime_{name}"
)
JOINS = by_timeframe(
    """
        left join readings as of_{name}
            on of_{name}.timeframe = '{name}'
            and latest.asset_pair = of_{name}.asset_pair
            and latest.closed_{name} = of_{name}.closed_at
            and latest.timestamp <= of_{name}.closed_at + to_minutes({step})""",
    between="",
    minutes=2,
)

# An ASOF JOIN for each timeframe says the same in less text, and takes twice as long.
MULTI_TIMEFRAME = f"""
with
    readings as (
        select
            asset_pair, timeframe, {TREND}, rsi_14 as rsi, market_regime as regime,
            timestamp + case timeframe
                {by_timeframe("when '{name}' then to_minutes({step})", " ")}
            end as closed_at
        from silver
    ),
    closings as (
        select
            asset_pair, closed_at as timestamp,
            {by_timeframe("max(closed_at) filter (timeframe = '{name}') as closed_{name}")}
        from readings
        group by all
    ),
    latest as (
        select
            asset_pair, timestamp,
            {by_timeframe("max(closed_{name}) over so_far as closed_{name}")}
        from closings
        window so_far as (partition by asset_pair order by timestamp rows unbounded preceding)
    ),
    heeded as (
        select
            latest.asset_pair, latest.timestamp,
            {HEEDED}
        from latest {JOINS}
    ),
    counted as (
        select
            *,
            {by_timeframe("coalesce((trend_{name} = 'up')::int, 0)", " + ")} as up,
            {by_timeframe("coalesce((trend_{name} = 'down')::int, 0)", " + ")} as down
        from heeded
    )
select
    * exclude (up, down), greatest(up, down)::int as confluence,
    case when up > down then 'up' when down > up then 'down' else 'mixed' end
        as confluence_trend
from counted
"""

CANDLES_A_DAY = "case timeframe {} end".format(
    " ".join(f"when '{name}' then {1440 // minutes}" for name, minutes in MINUTES.items())
)

DAILY_METRICS = f"""
with days as (
    select
        asset_pair, timestamp::date as date, timeframe as source_timeframe,
        arg_min(open, timestamp) as open, max(high) as high, min(low) as low,
        arg_max(close, timestamp) as close, sum(volume) as volume,
        sum((high + low + close) / 3 * volume) / nullif(sum(volume), 0) as vwap,
        count(*) as candle_count, count(*) / any_value({CANDLES_A_DAY}) as coverage,
        sqrt(sum(log_return * log_return)) as realised_volatility,
        any_value({CANDLES_A_DAY}) as candles_a_day
    from silver
    group by asset_pair, date, timeframe
    qualify row_number() over (partition by asset_pair, date order by candles_a_day desc) = 1
)
select
    * exclude (candles_a_day), close / open - 1 as daily_return,
    (high - low) / open as daily_range
from days
"""

REGIME_STATS = """
with
    found as (
        select
            asset_pair, timeframe, date_trunc('month', timestamp)::date as month, market_regime,
            count(*) as candle_count, count_if(is_regime_start)::bigint as times_entered,
            avg(log_return) as mean_log_return, stddev_pop(log_return) as volatility,
            avg(adx_14) as mean_adx, avg(natr_14) as mean_natr
        from silver
        group by all
    ),
    months as (
        select distinct asset_pair, timeframe, month, regimes.market_regime
        from found, (values ('trend'), ('range'), ('volatile')) as regimes (market_regime)
    ),
    counted as (
        select * replace (
            coalesce(candle_count, 0) as candle_count, coalesce(times_entered, 0) as times_entered
        )
        from months
        left join found using (asset_pair, timeframe, month, market_regime)
    )
select
    *,
    candle_count / nullif(sum(candle_count) over (partition by asset_pair, timeframe, month), 0)
        as share_of_month
from counted
"""
