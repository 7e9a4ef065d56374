"""What silver.trade_aggregates needs beside its stream: its gate, and trades that came too late.

Only the gate needs an engine.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from lakehouse.cli import main as command_line
from lakehouse.engine import connect
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.streams import aggregates
from lakehouse.streams.audit import audit

log = logging.getLogger(__name__)


def bring_in_late(settings: Settings) -> int:
    """Compute the minutes of late trades anew; how many candles changed."""
    changed = aggregates.bring_in_late(settings)
    log.info("%d candles changed for trades that came too late.", changed)
    return changed


def gate(settings: Settings, run_id: str) -> dict[str, int]:
    """Gate the candles that changed since they were gated last. Raises BatchQuarantined."""
    gated = audit(connect(settings), settings, Recorder(settings, run_id))
    log.info("%d candles checked, %d refused.", gated.rows, gated.rejected)
    return {"checked": gated.rows, "refused": gated.rejected}


def main(argv: Sequence[str]) -> None:
    """`late` or `gate`: the same as `lakehouse stream late`, `… gate`, exit codes as well."""
    command_line(["stream", *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
