"""From nothing to the first answer.

    .venv/bin/python -m benchmarks.start [--rounds 3] [--warm-asks 5]

Seconds of a command from its start to its end: `lakehouse sql "select 1"` with no engine running
(cold) and with one (warm); what `make backfill` runs once it is set up, seven days of two assets
from the simulated exchange into an empty lake with nothing running; and a question to gold of that
lake, warm. The engines take turns.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks import report
from benchmarks.machine import spread
from benchmarks.sides import Lake

SELECT_1 = "select 1"
OF_GOLD = (
    "select asset_pair, date, close, candle_count from gold.mart_daily_metrics "
    "where date >= current_date() - interval 3 days order by asset_pair, date"
)
SEVEN_DAYS = ("backfill", "--assets", "BTCUSD,ETHUSD", "--days", "7")
WHATS = {
    "select 1, cold": '`lakehouse sql "select 1"`, no engine running',
    "select 1, warm": "the same, engine running",
    "backfill": f"`lakehouse {' '.join(SEVEN_DAYS)}`, nothing running, empty lake",
    "gold, warm": '`lakehouse sql "select … from gold.mart_daily_metrics …"`, engine running',
}
Taken = dict[str, list[float]]


def round_of(lake: Lake, asks: int, taken: Taken) -> None:
    """Add the seconds of each of WHATS; of the warm ones `asks` times."""
    lake.down()
    lake.empty()
    taken["select 1, cold"].append(lake("sql", SELECT_1).seconds)
    taken["select 1, warm"] += [lake("sql", SELECT_1).seconds for _ in range(asks)]
    lake.down()
    taken["backfill"].append(lake(*SEVEN_DAYS).seconds)
    lake("sql", OF_GOLD)  # reads the table for the first time
    taken["gold, warm"] += [lake("sql", OF_GOLD).seconds for _ in range(asks)]
    lake.down()


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--warm-asks", type=int, default=5)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        lakes = {engine: Lake(Path(scratch) / engine, engine) for engine in flags.engines}
        taken: dict[str, Taken] = {engine: defaultdict(list) for engine in lakes}
        try:
            for _ in range(flags.rounds):
                for engine, lake in lakes.items():
                    round_of(lake, flags.warm_asks, taken[engine])
        finally:
            for lake in lakes.values():
                lake.down()
    rows = [
        [told, *(spread(taken[engine][what], 2) for engine in lakes)]
        for what, told in WHATS.items()
    ]
    head = ["what", *(engine.capitalize() for engine in lakes)]
    report.publish(flags.results, "start", report.table(head, rows))


if __name__ == "__main__":
    main()
