"""What a backfill was asked for, checked before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from lakehouse.errors import InvalidSetting, InvalidWindow
from lakehouse.moments import parse_moment
from lakehouse.settings import Settings
from lakehouse.timeframes import floor, step

DAY = timedelta(days=1)
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MAX_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """Half-open range [start, end) in UTC; a start of None means from what is landed up to now."""

    assets: tuple[str, ...]
    timeframes: tuple[str, ...]
    provider: str
    start: datetime | None
    end: datetime
    window: timedelta
    concurrency: int
    is_forced: bool = False
    is_fill: bool = False  # of gaps here and there in the range

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=_plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> BackfillRequest:
        fields = json.loads(text)
        start = fields["start"] and datetime.fromisoformat(fields["start"])
        return cls(
            **{
                **fields,
                "assets": tuple(fields["assets"]),
                "timeframes": tuple(fields["timeframes"]),
                "start": start,
                "end": datetime.fromisoformat(fields["end"]),
                "window": timedelta(seconds=fields["window"]),
            }
        )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(type(value))


def make_request(
    settings: Settings,
    *,
    assets: Sequence[str],
    timeframes: Sequence[str] = (),
    days: int | None = None,
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    provider: str | None = None,
    window: str | None = None,
    concurrency: int | None = None,
    force: bool = False,
    now: datetime | None = None,
) -> BackfillRequest:
    """A checked request.

    Raises UnknownAsset, UnknownTimeframe, UnknownProvider, InvalidWindow or InvalidSetting.
    """
    now = now or datetime.now(UTC)
    provider = provider or settings.provider
    settings.provider_named(provider)
    for asset_pair in assets:
        settings.asset(asset_pair)
    wanted = tuple(timeframes) or settings.backfill.timeframes
    for timeframe in wanted:
        step(timeframe)
    first, last = _range(days, _moment(start, "--from"), _moment(end, "--to"), now)
    return BackfillRequest(
        assets=tuple(dict.fromkeys(assets)),
        timeframes=tuple(dict.fromkeys(wanted)),
        provider=provider,
        start=first,
        end=last,
        window=parse_length(window or settings.backfill.window),
        concurrency=_concurrency(concurrency or settings.backfill.concurrency),
        is_forced=force,
    )


def _range(
    days: int | None, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime | None, datetime]:
    if days is not None and (start or end):
        raise InvalidWindow(problem="--days and --from/--to exclude each other")
    if days is not None and days < 1:
        raise InvalidWindow(problem=f"--days must be 1 or more, not {days}")
    if days is not None:
        today = floor(now, DAY)
        return today - days * DAY, today
    if end and not start:
        raise InvalidWindow(problem="--to needs --from")
    if start and start >= (end or now):
        raise InvalidWindow(problem=f"it ends ({end or now:%Y-%m-%dT%H:%M}) before it starts")
    return start, min(end or now, now)


def _moment(value: str | datetime | None, flag: str) -> datetime | None:
    if isinstance(value, str):
        return parse_moment(value, flag)
    return value


def parse_length(text: str) -> timedelta:
    """A length such as 30m, 6h or 1d. Raises InvalidWindow."""
    match = re.fullmatch(r"([1-9]\d{0,5})([mhd])", text)
    if not match:
        raise InvalidWindow(problem=f"--window {text!r} is not a length like 6h or 1d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _concurrency(value: int) -> int:
    if 1 <= value <= MAX_CONCURRENCY:
        return value
    problem = f"it must be between 1 and {MAX_CONCURRENCY}, not {value}"
    raise InvalidSetting(name="concurrency", problem=problem, where="--concurrency")
