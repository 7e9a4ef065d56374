"""What silver and gold must hold, computed row by row in plain Python from the candles."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import polars as pl

from lakehouse.indicators import INDICATORS, technical_indicators
from lakehouse.timeframes import TIMEFRAMES
from tests.builds.market import PRICES
from tests.indicators.candles import SETTLED_TYPE

Row = dict[str, Any]


def enriched(candles: pl.DataFrame) -> pl.DataFrame:
    """The indicators of each candle, over the whole of its series."""
    series = []
    for _, own in candles.group_by("asset_pair", "timeframe"):
        ordered = own.sort("timestamp").with_columns(settled=pl.lit(None, dtype=SETTLED_TYPE))
        indicators = technical_indicators(ordered)
        series.append(pl.concat([ordered.drop("settled"), indicators], how="horizontal"))
    columns = ("asset_pair", "timeframe", "timestamp", *PRICES, *INDICATORS)
    return pl.concat(series).select(columns).sort("asset_pair", "timeframe", "timestamp")


def analysis(rows: list[Row]) -> Iterator[Row]:
    """Rows of multi_timeframe_analysis from rows of market_data_enriched."""
    by_asset = _grouped(rows, lambda row: row["asset_pair"])
    for asset_pair, own in sorted(by_asset.items()):
        series = _grouped(own, lambda row: row["timeframe"])
        for moment in sorted({_closed_at(row) for row in own}):
            latest = {
                timeframe: _latest_closed(series.get(timeframe, []), timeframe, moment)
                for timeframe in TIMEFRAMES
            }
            yield {"asset_pair": asset_pair, "timestamp": moment, **_reading(latest)}


def _latest_closed(series: list[Row], timeframe: str, moment: datetime) -> Row:
    closed = [row for row in series if _closed_at(row) <= moment]
    last = max(closed, key=_closed_at, default=None)
    is_fresh = last is not None and moment <= _closed_at(last) + 2 * TIMEFRAMES[timeframe]
    return last if last is not None and is_fresh else {}


def _reading(latest: dict[str, Row]) -> Row:
    reading: Row = {}
    trends = []
    for timeframe, row in latest.items():
        trends.append(trend(row.get("macd"), row.get("close")))
        reading[f"trend_{timeframe}"] = trends[-1]
        reading[f"rsi_{timeframe}"] = row.get("rsi_14")
        reading[f"regime_{timeframe}"] = row.get("market_regime")
    up, down = trends.count("up"), trends.count("down")
    reading["confluence"] = max(up, down)
    reading["confluence_trend"] = "up" if up > down else "down" if down > up else "mixed"
    return reading


def trend(macd: float | None, close: float | None) -> str | None:
    if macd is None or close is None:
        return None
    if abs(macd) <= 1e-9 * close:
        return "flat"
    return "up" if macd > 0 else "down"


def daily(rows: list[Row]) -> Iterator[Row]:
    """Rows of mart_daily_metrics from rows of market_data_enriched."""
    days = _grouped(rows, lambda row: (row["asset_pair"], row["timestamp"].date()))
    for (asset_pair, date), all_rows in sorted(days.items()):
        finest = min((row["timeframe"] for row in all_rows), key=list(TIMEFRAMES).index)
        own = [row for row in all_rows if row["timeframe"] == finest]
        own.sort(key=lambda row: row["timestamp"])
        first, last = own[0], own[-1]
        high, low = max(row["high"] for row in own), min(row["low"] for row in own)
        volume = math.fsum(row["volume"] for row in own)
        turnover = math.fsum(
            (row["high"] + row["low"] + row["close"]) / 3 * row["volume"] for row in own
        )
        yield {
            "asset_pair": asset_pair,
            "date": date,
            "source_timeframe": finest,
            "open": first["open"],
            "high": high,
            "low": low,
            "close": last["close"],
            "volume": volume,
            "vwap": turnover / volume,
            "candle_count": len(own),
            "coverage": len(own) / (TIMEFRAMES["1d"] / TIMEFRAMES[finest]),
            "realised_volatility": math.sqrt(math.fsum((r["log_return"] or 0) ** 2 for r in own)),
            "daily_return": last["close"] / first["open"] - 1,
            "daily_range": (high - low) / first["open"],
        }


def regimes(rows: list[Row]) -> Iterator[Row]:
    """Rows of mart_market_regime_stats from rows of market_data_enriched."""
    months = _grouped(
        rows, lambda r: (r["asset_pair"], r["timeframe"], r["timestamp"].date().replace(day=1))
    )
    for (asset_pair, timeframe, month), own in sorted(months.items()):
        known = [row for row in own if row["market_regime"] is not None]
        for regime in ("range", "trend", "volatile"):
            chosen = [row for row in known if row["market_regime"] == regime]
            returns = [row["log_return"] for row in chosen]
            mean = _mean(returns)
            yield {
                "asset_pair": asset_pair,
                "timeframe": timeframe,
                "month": month,
                "market_regime": regime,
                "candle_count": len(chosen),
                "times_entered": sum(row["is_regime_start"] for row in chosen),
                "mean_log_return": mean,
                "volatility": _deviation(returns),
                "mean_adx": _mean([row["adx_14"] for row in chosen]),
                "mean_natr": _mean([row["natr_14"] for row in chosen]),
                "share_of_month": len(chosen) / len(known) if known else None,
            }


def technical(rows: list[Row]) -> Iterator[Row]:
    """What mart_technical_indicators adds to rows of market_data_enriched."""
    before: Row = {}
    for row in sorted(rows, key=lambda r: (r["asset_pair"], r["timeframe"], r["timestamp"])):
        is_same = all(before.get(key) == row[key] for key in ("asset_pair", "timeframe"))
        previous = before["macd_histogram"] if is_same else None
        yield {
            "trend": trend(row["macd"], row["close"]),
            "rsi_zone": _zone(row["rsi_14"]),
            "macd_cross": _cross(previous, row["macd_histogram"]),
            "bollinger_position": _position(row),
        }
        before = row


def _zone(rsi: float | None) -> str | None:
    if rsi is None:
        return None
    return "overbought" if rsi > 70 else "oversold" if rsi < 30 else "neutral"


def _cross(previous: float | None, now: float | None) -> str | None:
    if previous is None or now is None:
        return None
    if previous <= 0 < now:
        return "up"
    return "down" if now < 0 <= previous else None


def _position(row: Row) -> float | None:
    lower, upper = row["bollinger_lower"], row["bollinger_upper"]
    return None if lower is None or lower == upper else (row["close"] - lower) / (upper - lower)


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _deviation(values: list[float]) -> float | None:
    mean = _mean(values)
    if mean is None:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _closed_at(row: Row) -> datetime:
    opened: datetime = row["timestamp"]
    return opened + TIMEFRAMES[row["timeframe"]]


def _grouped(rows: Iterable[Row], key: Any) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
