"""A gap ledger written by hand: each character is an hour, and what one provider has of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby

from lakehouse import ops
from lakehouse.settings import Settings

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEVER_ASKED = " "
# A hash is a candle that is there.
CLASSES = {"n": "not_fetched", "o": "outage", "t": "no_trade", "r": "rejected", "d": "delisted"}


def at(hour: int) -> datetime:
    return START + hour * HOUR


def write_ledger(settings: Settings, provider: str, hours: str, asset_pair: str = "BTCUSD") -> None:
    """What this provider has of the hours from START on; a blank at either end was not asked."""
    series = {"asset_pair": asset_pair, "timeframe": "1h", "provider": provider}
    known = hours.strip(NEVER_ASKED)
    first = hours.index(known)
    gaps, hour = [], first
    for letter, run in groupby(known):
        end = hour + len(list(run))
        if letter in CLASSES:
            times = {"gap_start": at(hour), "gap_end": at(end), "recorded_at": START}
            said = {"gap_class": CLASSES[letter], "candles": end - hour, "detail": ""}
            gaps.append({**series, **times, **said})
        hour = end
    horizon = {"known_from": at(first), "known_to": at(hour), "updated_at": START}
    ops.append(settings, "ops.gaps", gaps)
    ops.append(settings, "ops.coverage", [{**series, **horizon}])
