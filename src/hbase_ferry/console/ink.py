"""Spans, lines and the palette: the only way by which text reaches the screen.

Every pane is a list of `Line`s of `Span`s (text and role). Invariant: text here is never parsed as markup, whatever
it holds; a role says what it means ("bad"), the palette how that looks, and no meaning is carried by the look alone.
Called by every module that builds lines, and by `table.Lines`, which paints them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias, overload

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from hbase_ferry.model.text import safe_text


class Span(NamedTuple):
    """A piece of text with one role."""

    text: str
    role: str = "text"


class Line(NamedTuple):
    """One line. `fill` is the role of the rest of the row."""

    spans: tuple[Span, ...]
    fill: str = "text"


Cell: TypeAlias = "str | Span"

ROLES: Mapping[str, tuple[str, str, str]] = {
    "text": ("text", "", ""),
    "strong": ("text", "", "bold"),
    "dim": ("dim", "", ""),
    "stale": ("stale", "", "italic"),
    "ok": ("ok", "", ""),
    "warn": ("warn", "", "bold"),
    "bad": ("bad", "", "bold"),
    "accent": ("accent", "", ""),
    "source": ("source", "", "bold"),
    "target": ("target", "", "bold"),
    "line": ("line", "", ""),
    "key": ("accent", "", "bold"),
    "head": ("text", "panel", ""),
    "head-strong": ("text", "panel", "bold"),
    "head-dim": ("dim", "panel", ""),
    "head-ok": ("ok", "panel", ""),
    "head-warn": ("warn", "panel", "bold"),
    "head-bad": ("bad", "panel", "bold"),
    "head-stale": ("stale", "panel", "italic"),
    "head-source": ("source", "panel", "bold"),
    "head-target": ("target", "panel", "bold"),
    "head-accent": ("accent", "panel", "bold"),
    "act": ("act_text", "act", "bold"),
    "readonly": ("readonly_text", "readonly", "bold"),
    "alarm": ("alarm_text", "alarm", "bold"),
    "chart1": ("chart1", "", ""),
    "chart2": ("chart2", "", ""),
    "chart3": ("chart3", "", ""),
    "chart4": ("chart4", "", ""),
}
"""Role -> colour key, background key ("" is the pane's own), attributes."""

COLOUR_KEYS = frozenset(key for fore, back, _ in ROLES.values() for key in (fore, back) if key) | {
    "background", "surface", "pick",
}
"""The colours a theme file has to name."""

_ASCII = str.maketrans({
    "…": "~", "·": ".", "│": "|", "─": "-", "›": ">", "█": "#", "▌": "#", "░": ".", "→": ">", "✓": "+",
    "–": "-", "—": "-", "≥": ">", "≤": "<", "×": "x", "’": "'", "“": '"', "”": '"',
})  # fmt: skip


@dataclass(frozen=True)
class Palette:
    """A theme's colours, as Textual and Rich understand them, and the style of every role."""

    name: str
    dark: bool
    ansi: bool
    colours: Mapping[str, str]
    styles: Mapping[str, Style]
    picked: Style
    "painted over the chosen row"


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """Text as it may be shown. The wire made it safe already; a fixture or a recording may not have."""
    return safe_text(text)


@lru_cache(maxsize=4096)
def to_ascii(text: str) -> str:
    """Our own signs by their ASCII neighbours, anything else outside ASCII as an escape."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def span(cell: Cell, role: str = "text") -> Span:
    """One foreign or own string as a span. The helper through which every dynamic string passes."""
    return Span(clean(cell.text), cell.role) if isinstance(cell, Span) else Span(clean(cell), role)


def line(*cells: Cell, fill: str = "text") -> Line:
    """A line of cells; plain strings get the role `fill`."""
    return Line(tuple(span(cell, fill) for cell in cells if (cell.text if isinstance(cell, Span) else cell)), fill)


def width_of(text: str) -> int:
    """Terminal cells."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, with an ellipsis where it was cut."""
    if width_of(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def pad(text: str, width: int) -> str:
    """`text` in exactly `width` cells."""
    short = cut(text, width)
    return short + " " * (width - width_of(short))


class Rows(Sequence[Line]):
    """Lines of which most are made only when they are looked at: of two hundred tables a screen shows nine."""

    def __init__(self, first: Sequence[Line], count: int, make: Callable[[int], Line]) -> None:
        """`first` as they are, then `count` lines that `make` builds from their index."""
        self._first, self._count, self._make = tuple(first), count, make

    def __len__(self) -> int:
        return len(self._first) + self._count

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Line, ...]: ...
    def __getitem__(self, index: int | slice) -> Line | tuple[Line, ...]:
        if isinstance(index, slice):
            return tuple(self[n] for n in range(*index.indices(len(self))))
        n = range(len(self))[index]
        return self._first[n] if n < len(self._first) else self._make(n - len(self._first))


def row(cells: Sequence[Cell], widths: Sequence[int], indent: int = 1, fill: str = "text") -> Line:
    """Cells in columns of fixed width, one space apart; each cell is one span, so that it is painted alone."""
    spans = [Span(" " * indent, fill)]
    for cell, width in zip(cells, widths, strict=True):
        if width > 0:
            made = span(cell, fill)
            spans.append(Span(pad(made.text, width) + " ", made.role))
    return Line(tuple(spans), fill)


def wrap(text: str, width: int, indent: str = "", role: str = "text", first: Sequence[Span] = ()) -> list[Line]:
    """`text` over as many lines as it needs; `first` stands in front of the first one, `indent` of the others.

    Words longer than a line are broken: nothing of a command may be hidden.
    """
    room = max(8, width - width_of(indent))
    lines: list[str] = [""]
    for word in clean(text).split(" "):
        for part in _parts(word, room):
            glue = " " if lines[-1] else ""
            if width_of(lines[-1]) + len(glue) + width_of(part) > room:
                lines.append(part)
            else:
                lines[-1] += glue + part
    heads = [tuple(first) or (Span(indent),)] + [(Span(indent),)] * (len(lines) - 1)
    return [Line((*head, Span(text_, role))) for head, text_ in zip(heads, lines, strict=True)]


def _parts(word: str, room: int) -> Iterable[str]:
    while width_of(word) > room:
        part = set_cell_size(word, room).rstrip(" ") if not word.isascii() else word[:room]
        yield part
        word = word[len(part) :]
    yield word


def fit(content: Line, width: int, ascii_only: bool = False) -> tuple[Span, ...]:
    """The line in exactly `width` cells: cut with an ellipsis, or padded with its fill."""
    spans: list[Span] = []
    left = width
    for text, role in content.spans:
        text = to_ascii(text) if ascii_only else text
        size = width_of(text)
        if size > left:
            mark = "~" if ascii_only else "…"
            spans.append(Span((set_cell_size(text, left - 1) + mark) if left else "", role))
            left = 0
            break
        spans.append(Span(text, role))
        left -= size
    if left:
        spans.append(Span(" " * left, content.fill))
    return tuple(piece for piece in spans if piece.text)
