"""Progress of a backfill: nested bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from lakehouse.backfill import Batch, Watcher
from lakehouse.errors import LakehouseError
from lakehouse.landing import Landing
from lakehouse.sources import Fetched


@contextmanager
def progress_shown(plan: Sequence[Batch], console: Console) -> Iterator[Watcher]:
    """A watcher that shows the run on this console for as long as the block lasts."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(progress, plan)


class Lines:
    """A line for each batch that was fetched, failed or landed."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)  # one line of a log each, however wide

    def on_page(self, batch: Batch, candles: int) -> None:
        """Pages are too many for lines."""

    def on_fetched(self, batch: Batch, fetched: Fetched) -> None:
        self._say(
            f"fetched {batch.asset_pair} {batch.timeframe} {batch.start:%Y-%m-%d %H:%M} to "
            f"{batch.end:%Y-%m-%d %H:%M}: {len(fetched.candles):,} candles from {fetched.provider}"
        )

    def on_failed(self, batch: Batch, error: LakehouseError) -> None:
        self._say(f"failed {batch.asset_pair} {batch.timeframe}: {error}")

    def on_landed(self, batches: list[Batch], landing: Landing) -> None:
        for table, rows in landing.rows_landed.items():
            self._say(f"landed {table}: {rows:,} new rows")


class Bars:
    """A bar for the whole run, one for each asset, one for each batch being fetched."""

    def __init__(self, progress: Progress, plan: Sequence[Batch]) -> None:
        self.progress = progress
        self.lock = Lock()
        self.total = progress.add_task("candles landed", total=sum(b.expected for b in plan))
        expected: Counter[str] = Counter()
        for batch in plan:
            expected[batch.asset_pair] += batch.expected
        self.assets = {
            asset: progress.add_task(f"  {asset} fetched", total=candles)
            for asset, candles in expected.items()
        }
        self.batches: dict[str, TaskID] = {}

    def on_page(self, batch: Batch, candles: int) -> None:
        with self.lock:
            if batch.batch_id not in self.batches:
                label = f"    {batch.timeframe} from {batch.start:%Y-%m-%d}"
                self.batches[batch.batch_id] = self.progress.add_task(label, total=batch.expected)
        self.progress.advance(self.batches[batch.batch_id], candles)
        self.progress.advance(self.assets[batch.asset_pair], candles)

    def on_fetched(self, batch: Batch, fetched: Fetched) -> None:
        if batch.batch_id in self.batches:
            self.progress.remove_task(self.batches.pop(batch.batch_id))

    def on_failed(self, batch: Batch, error: LakehouseError) -> None:
        self.progress.console.print(f"[red]failed[/] {batch.asset_pair} {batch.timeframe}: {error}")

    def on_landed(self, batches: list[Batch], landing: Landing) -> None:
        self.progress.advance(self.total, sum(batch.expected for batch in batches))
