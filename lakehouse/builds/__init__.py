"""Building silver and gold from what bronze brought."""

from lakehouse.builds.build import build, is_behind
from lakehouse.builds.builder import Build
from lakehouse.builds.gating import quarantine_error
from lakehouse.builds.locking import build_lock
from lakehouse.builds.releasing import create_release, drop_release
from lakehouse.builds.rollback import roll_back
from lakehouse.builds.stepwise import gate_stage, is_stage_gated, is_stage_up_to_date, write_stage

__all__ = [
    "Build",
    "build",
    "build_lock",
    "create_release",
    "drop_release",
    "gate_stage",
    "is_behind",
    "is_stage_gated",
    "is_stage_up_to_date",
    "quarantine_error",
    "roll_back",
    "write_stage",
]
