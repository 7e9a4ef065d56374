"""Building silver and gold from what bronze brought."""

from lakehouse.builds.build import Build, build, is_behind
from lakehouse.builds.gating import quarantine_error

__all__ = ["Build", "build", "is_behind", "quarantine_error"]
