"""Dead letters: every refused row, its reasons and its origin, until somebody deals with it."""

from lakehouse.dead_letters.letter import DeadLetter
from lakehouse.dead_letters.queue import discard, find_dead_letter, list_dead_letters
from lakehouse.dead_letters.replaying import Replay, replay
from lakehouse.dead_letters.writing import write_dead_letters

__all__ = [
    "DeadLetter",
    "Replay",
    "discard",
    "find_dead_letter",
    "list_dead_letters",
    "replay",
    "write_dead_letters",
]
