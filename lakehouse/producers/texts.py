"""The trades of a frame as they arrived, letter for letter, for the dead letters."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_DATA = re.compile(r'"data"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


def texts_of(trades: list[Any], frame: bytes) -> list[str]:
    """The text of each; where the frame is too strange to be taken apart, written anew."""
    text = frame.decode()
    try:
        texts = _parts(text)
    except (IndexError, ValueError, RecursionError):
        texts = []
    is_same = len(texts) == len(trades) and all(map(_is_text_of, texts, trades))
    return texts if is_same else [_written(trade, text) for trade in trades]


def _parts(text: str) -> list[str]:
    found = _DATA.search(text)
    at = found.end() if found else len(text)
    texts = []
    while text[at := _skip(text, at)] != "]":
        _, end = _DECODER.raw_decode(text, at)
        texts.append(text[at:end])
        at = end
    return texts


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _is_text_of(text: str, trade: Any) -> bool:
    return bool(orjson.loads(text) == trade)


def _written(trade: Any, frame: str) -> str:
    try:
        return orjson.dumps(trade).decode()
    except TypeError:
        return frame  # it is nested too deeply to be written
