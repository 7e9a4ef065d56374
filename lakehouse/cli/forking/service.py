"""The server as a service of its lake, like the engine."""

from __future__ import annotations

import sys

from lakehouse import services
from lakehouse.cli.forking.wire import NAME
from lakehouse.services import Service
from lakehouse.settings import Settings


def fork_service(settings: Settings) -> Service:
    """The fork server of the settings' lake."""

    def command(_: int) -> list[str]:
        # Without -P what lies in the working folder could be imported in a library's place.
        return [sys.executable, "-P", "-m", "lakehouse.cli.forking.server", str(settings.lake)]

    return Service(NAME, "", settings.lake, command, {}, is_listening=False)


def leave_one_behind(settings: Settings) -> None:
    """Start it beside an engine that stays, unless the settings do without, or it cannot run."""
    is_wanted = settings.fork_server and sys.platform == "linux"
    if is_wanted and services.find(settings.lake, "engine"):
        fork_service(settings).ensure()
