"""Spans of numbered candles, half-open; a list of them is sorted and none touches the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def joined(spans: Iterable[Span]) -> list[Span]:
    """What any of the spans covers."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        elif first < last:
            found.append((first, last))
    return found


def common(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What both cover. Linear: gaps may be many."""
    found: list[Span] = []
    i = j = 0
    while i < len(some) and j < len(others):
        first, last = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if first < last:
            found.append((first, last))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found


def without(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What `some` cover and `others` do not."""
    if not some:
        return []
    edges = [some[0][0], *(edge for span in others for edge in span), some[-1][1]]
    between = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
    return common(some, between)


def size(spans: Iterable[Span]) -> int:
    return sum(last - first for first, last in spans)
