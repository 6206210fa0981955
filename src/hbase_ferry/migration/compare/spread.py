"""Where a comparison of a share of a table reads next: it leaps by how dense the last range was.

Invariant: a leap never passes a region's first key, so that every region is read at its beginning; it is a pure
function, so that a stopped comparison goes on at the same key. Called by `compare.pieces`.
"""

from __future__ import annotations

from collections.abc import Sequence

_WIDER = 8
"""Hex digits beyond the longer key with which keys are reckoned as numbers."""


def leap(start: str, end: str, share: float, starts: Sequence[str]) -> str | None:
    """The key, in hex, to go on at after the range from `start` to before `end`, so that about `share` of the keys is
    read. None: the leap leaves the table. Keys that are text lie closer than their bytes say: the share is then a
    larger one."""
    width = max(len(start), len(end)) + _WIDER
    low, high = (int(key.ljust(width, "0"), 16) for key in (start, end))
    there = high + int((high - low) * (1 / share - 1))
    key = f"{there:0{width}x}" if there < 16**width else None
    border = min((first for first in starts if first >= end), default=None)
    return border if border is not None and (key is None or border < key) else key
