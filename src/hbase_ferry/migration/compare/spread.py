"""Where a comparison of a share of a table reads next: it leaps over keys by how dense the last range was.

Keys are reckoned with as numbers whose digits are the bytes that each place may have, as far as a few keys of the range
show it: ten where they show decimal digits, 256 where a key is not text. Invariant: a leap goes forward and never
passes a region's first key, so that every region is read at its beginning; it is a pure function, so that a stopped
comparison goes on at the same key. Called by `compare.pieces`.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import pairwise, takewhile
from statistics import median_low

_WIDTH, _CARRY = 12, 4
"""Bytes that are reckoned with: after what all of the keys begin with, and of its end."""
_HEX = frozenset(b"0123456789abcdefABCDEF")
_CLASSES = tuple(frozenset(c.encode()) for c in (string.digits, string.ascii_lowercase, string.ascii_uppercase))
_BYTES = bytes(range(256))


def leap(keys: Sequence[str], end: str, share: float, starts: Sequence[str]) -> str | None:
    """The key, in hex, to go on at after a range, so that about `share` of the table's rows is read.

    `keys`: some of the range's, evenly apart in rows; `end`: the first after it; `starts`: the regions' first keys.
    None: the leap leaves the table.
    """
    border = min((first for first in starts if first >= end), default=None)
    last = end.removesuffix("00")  # where a page ends the next begins with the key behind its last one
    there = _beyond([bytes.fromhex(key) for key in dict.fromkeys((*keys, last))], 1 / share - 1)
    if there is None or (border is not None and border < there.hex()):
        return border
    return max(end, there.hex())


def _beyond(keys: Sequence[bytes], ranges: float) -> bytes | None:
    """The key that lies so many ranges of the same density after the last of these. None: it leaves the table."""
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(keys[0], keys[-1], strict=False)))
    begin = max(0, alike - _CARRY)
    head, tails = keys[0][:begin], [key[begin : alike + _WIDTH] for key in keys]
    places = [_alphabet(tails, place) for place in range(max(map(len, tails)))]
    numbers = [_number(tail, places) for tail in tails]
    if len(numbers) < 2:
        return keys[-1]
    gaps = [high - low for low, high in pairwise(numbers)]
    tail = _key(numbers[-1] + int(median_low(gaps) * len(gaps) * ranges), places)
    return _after(head + places[0][-1:]) if tail is None else head + tail


def _after(prefix: bytes) -> bytes | None:
    """The first key after all that begin with this. None: there is none."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else None


def _alphabet(keys: Sequence[bytes], place: int) -> bytes:
    """The bytes that keys like these may have at a place, in order."""
    if not all(key.isascii() and key.decode().isprintable() for key in keys):
        return _BYTES
    seen = {key[place] for key in keys if len(key) > place}
    letters = {byte for key in keys for byte in key if chr(byte).isalpha()}
    if letters and letters <= _HEX and seen <= _HEX:
        upper = any(chr(byte).isupper() for byte in letters)
        return b"0123456789ABCDEF" if upper else b"0123456789abcdef"
    return bytes(sorted(seen.union(*(kind for kind in _CLASSES if kind & seen))))


def _number(key: bytes, places: Sequence[bytes]) -> int:
    number = 0
    for place, alphabet in enumerate(places):
        rank = sum(byte < key[place] for byte in alphabet) if place < len(key) else 0
        number = number * len(alphabet) + rank
    return number


def _key(number: int, places: Sequence[bytes]) -> bytes | None:
    """The key of this number; None: there is none so great."""
    key = bytearray()
    for alphabet in reversed(places):
        number, rank = divmod(number, len(alphabet))
        key.append(alphabet[rank])
    return None if number else bytes(reversed(key))
