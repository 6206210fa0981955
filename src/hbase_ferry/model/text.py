"""The one place that makes foreign text safe. Every string from a cluster, a log or a file passes here once.

Invariant: the result holds no control, bidirectional, zero-width or surrogate character and no line break, so it
can neither move a terminal's cursor nor reorder a line. Markup is not escaped here: front ends never parse it.
"""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2028\u2029\u3164\ufeff\uffa0")


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or char in _HIDDEN:
        code = ord(char)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return char


def safe_text(text: str, limit: int = 10_000) -> str:
    """`text` with every invisible or terminal-active character as a visible escape, cut at `limit` characters."""
    if text.isascii() and text.isprintable():
        return text if len(text) <= limit else text[:limit] + "…"
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "".join(map(_visible, cut))
