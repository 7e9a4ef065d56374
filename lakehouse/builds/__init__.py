"""Building silver and gold from what bronze brought."""

from lakehouse.builds.build import build, build_lock, is_behind
from lakehouse.builds.builder import Build
from lakehouse.builds.gating import quarantine_error
from lakehouse.builds.stepwise import gate_stage, is_stage_gated, is_stage_up_to_date, write_stage

__all__ = [
    "Build",
    "build",
    "build_lock",
    "gate_stage",
    "is_behind",
    "is_stage_gated",
    "is_stage_up_to_date",
    "quarantine_error",
    "write_stage",
]
