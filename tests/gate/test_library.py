"""Great Expectations as it is loaded: whole, but for libraries that no gate here needs."""

from __future__ import annotations

import subprocess
import sys

IN_A_PROCESS_OF_ITS_OWN = """
import sys
from lakehouse.gate import preload
preload()
assert not {"altair", "scipy.stats"} & set(sys.modules)
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as kl
assert kl.stats.entropy([1, 2], [1, 2]) == 0
assert kl.alt.Chart.__module__.startswith("altair.")
import altair, scipy.stats
assert kl.alt.Chart is altair.Chart
assert kl.stats.entropy is scipy.stats.entropy
"""


def test_seldom_used_libraries_are_imported_when_something_of_them_is_used() -> None:
    subprocess.run([sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN], check=True)  # noqa: S603
