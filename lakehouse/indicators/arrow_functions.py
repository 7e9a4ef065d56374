"""Functions of SQL over arrays of structs, which Spark and Sail both run."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pyarrow as pa

Answer = Callable[[pa.StructArray], pa.StructArray]


def register(
    session: Any, name: str, answer: Answer, columns: dict[str, str], *code: ModuleType
) -> None:
    """Make `name(array<struct<…>>)` known to the session's SQL: it answers each array with an array
    of structs of these columns, given with their SQL types. `code` are the modules it is made of.
    """
    from pyspark import cloudpickle
    from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined]

    def over_arrays(arrays: pa.Array) -> pa.Array:
        answers = [answer(array.values) for array in arrays]
        offsets = [0]
        for rows in answers:
            offsets.append(offsets[-1] + len(rows))
        together = pa.concat_arrays(answers) if len(answers) > 1 else answers[0]
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), together)

    # The code travels with the function: an engine that was started before it was changed, or on
    # machines that do not have it, runs what this process has.
    for module in code:
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    schema = ", ".join(f"{column}: {sql_type}" for column, sql_type in columns.items())
    session.udf.register(name, arrow_udf(over_arrays, returnType=f"array<struct<{schema}>>"))
