"""How many equal trades came before: what tells two equal trades from one that is sent twice."""

from __future__ import annotations

GENERATION = 200_000


class Occurrences:
    """Counts equal trades of one connection; a trade sent again on the next has the same number.

    It remembers the last few hundred thousand different trades by their hashes: equal ones have
    the same millisecond, so they come close together.
    """

    def __init__(self, generation: int = GENERATION) -> None:
        self._generation = generation
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def count(self, trade: bytes) -> int:
        """How many trades equal to this one were counted before; counts it."""
        name = hash(trade)
        young = self._young
        before = young.get(name)
        if before is None:
            before = self._old.get(name, 0)
            if len(young) >= self._generation:
                self._old, self._young = young, {}
                young = self._young
        young[name] = before + 1
        return before
