"""Lines: a list of lines with a pinned heading, which repaints only the cells that changed.

Textual's DataTable repaints itself whole for one changed cell (20 KB at 120x40). Invariant: `show` compares with
what stands on the screen and marks exactly the differing cells dirty; showing the same again paints nothing.
Every pane, chart, dialog text and the help are one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from hbase_ferry.console.ink import Line, Palette, Span, fit, line, width_of

if TYPE_CHECKING:
    from textual.binding import BindingType

_BLANK = line("")


class Lines(Widget):
    """Head and body. `pick` rows carry a cursor; otherwise the arrow keys scroll."""

    DEFAULT_CSS = "Lines { width: 1fr; height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("up,k", "move(-1)"), ("down,j", "move(1)"), ("pageup", "page(-1)"), ("pagedown", "page(1)"),
        ("home", "move(-1000000)"), ("end", "move(1000000)"),
    ]  # fmt: skip

    class Picked(Message):
        """The cursor of a list was moved by the operator to row `index`."""

        def __init__(self, lines: Lines, index: int) -> None:
            super().__init__()
            self.lines = lines
            self.index = index

        @property
        def control(self) -> Lines:
            return self.lines

    def __init__(self, *, id: str | None = None, pick: bool = False, focus: bool = True, classes: str = "") -> None:
        super().__init__(id=id, classes=classes or None)
        self.can_focus = focus
        self.has_cursor = pick
        self.cursor = 0
        self.top = 0
        self._head: tuple[Line, ...] = ()
        self._body: Sequence[Line] = ()
        self._shown: list[tuple[tuple[Span, ...], bool]] = []
        self._shown_at = Size(-1, -1)
        "the size for which `_shown` was made: a pane that just got its size is painted right at once"
        self.painted = 0
        "cells marked dirty since the start; tests read it"

    # ---- content

    def show(self, head: Sequence[Line], body: Sequence[Line], cursor: int | None = None) -> None:
        """Shows these lines. `cursor` moves the cursor too."""
        self._head, self._body = tuple(head), body
        if cursor is not None and cursor != self.cursor:
            self.cursor = cursor
            self._keep_cursor_in_sight()
        self._settle()

    @property
    def body(self) -> Sequence[Line]:
        return self._body

    @property
    def head(self) -> tuple[Line, ...]:
        return self._head

    @property
    def room(self) -> int:
        """Rows left for the body."""
        return max(0, self.size.height - len(self._head))

    @property
    def seen(self) -> tuple[int, int]:
        """First and last visible row of the body, from 1; (0, 0) where there is none."""
        if not self._body:
            return 0, 0
        return self.top + 1, min(len(self._body), self.top + self.room)

    def text(self) -> str:
        """What stands in head and body, visible or not; tests and the clipboard read it."""
        return "\n".join("".join(piece.text for piece in each.spans) for each in (*self._head, *self._body))

    # ---- painting

    def _settle(self) -> None:
        self.top = max(0, min(self.top, len(self._body) - self.room))
        wanted = self._wanted()
        if self._shown_at != self.size:
            self._shown, self._shown_at = wanted, self.size
            self.painted += self.size.width * self.size.height
            self.refresh()
            return
        regions = [
            region
            for y, (new, old) in enumerate(zip(wanted, self._shown, strict=True))
            if new != old
            for region in _changed(y, new, old)
        ]
        self._shown = wanted
        if regions:
            self.painted += sum(region.width for region in regions)
            self.refresh(*regions)

    def _wanted(self) -> list[tuple[tuple[Span, ...], bool]]:
        width, height = self.size
        ascii_only = getattr(self.app, "ascii_only", False)
        visible = self._body[self.top : self.top + self.room]
        rows = [
            (self._headed(each, width, ascii_only) if y == 0 else fit(each, width, ascii_only), False)
            for y, each in enumerate(self._head[:height])
        ]
        for index, each in enumerate(visible, self.top):
            picked = self.has_cursor and index == self.cursor
            rows.append((fit(each, width, ascii_only), picked))
        blank = fit(_BLANK, width)
        rows.extend([(blank, False)] * (height - len(rows)))
        return rows

    def _headed(self, head: Line, width: int, ascii_only: bool) -> tuple[Span, ...]:
        """The heading with a mark while the pane has the focus and, where not all rows fit, which are seen."""
        spans = head.spans
        if self.has_focus and spans:
            spans = (Span(">", "head-accent"), Span(spans[0].text[1:], spans[0].role), *spans[1:])
        seen = f" {self.seen[0]}-{self.seen[1]} of {len(self._body)} " if len(self._body) > self.room > 0 else ""
        shown = fit(Line(spans, head.fill), width - len(seen), ascii_only)
        return (*shown, Span(seen, "head-dim")) if seen else shown

    def on_focus(self) -> None:
        self._settle()

    def on_blur(self) -> None:
        self._settle()

    def render_line(self, y: int) -> Strip:
        """One row as Textual paints it."""
        palette: Palette = self.app.palette  # type: ignore[attr-defined]
        if self._shown_at != self.size:
            self._shown, self._shown_at = self._wanted(), self.size
        if y >= len(self._shown):
            return Strip.blank(self.size.width)
        spans, picked = self._shown[y]
        styles, over = palette.styles, palette.picked
        segments = [Segment(text, styles[role] + over if picked else styles[role]) for text, role in spans]
        return Strip(segments, self.size.width)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Height `auto`: every line."""
        return len(self._head) + len(self._body)

    def on_resize(self, event: events.Resize) -> None:
        self._settle()
        self._keep_cursor_in_sight()

    def repaint(self) -> None:
        """Everything anew: the theme changed."""
        self._shown_at = Size(-1, -1)
        self._settle()

    # ---- moving

    def action_move(self, by: int) -> None:
        """Cursor or view, by rows."""
        if self.has_cursor:
            self.pick(self.cursor + by)
        else:
            self.scroll_rows(by)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.room - 1))

    def pick(self, index: int) -> None:
        """Puts the cursor on a row of the body and says so."""
        index = max(0, min(index, len(self._body) - 1))
        if index == self.cursor or not self._body:
            return
        self.cursor = index
        self._keep_cursor_in_sight()
        self._settle()
        self.post_message(self.Picked(self, index))

    def scroll_rows(self, by: int) -> None:
        """Moves the visible part of the body."""
        self.top = max(0, min(self.top + by, len(self._body) - self.room))
        self._settle()

    def _keep_cursor_in_sight(self) -> None:
        if self.has_cursor and self.room:
            self.top = max(min(self.top, self.cursor), self.cursor - self.room + 1)
            self._settle()

    def on_click(self, event: events.Click) -> None:
        row = event.y - len(self._head) + self.top
        if self.has_cursor and event.y >= len(self._head) and row < len(self._body):
            self.pick(row)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.scroll_rows(-3)


def _cells(row: tuple[tuple[Span, ...], bool]) -> list[tuple[int, int, Span, bool]]:
    x, cells = 0, []
    for piece in row[0]:
        size = width_of(piece.text)
        cells.append((x, size, piece, row[1]))
        x += size
    return cells


def _changed(y: int, new: tuple[tuple[Span, ...], bool], old: tuple[tuple[Span, ...], bool]) -> list[Region]:
    """The regions of the new row's spans that do not stand there already, neighbours joined."""
    before = set(_cells(old))
    regions: list[Region] = []
    for cell in _cells(new):
        if cell in before:
            continue
        x, size = cell[0], cell[1]
        if regions and regions[-1].right == x:
            regions[-1] = Region(regions[-1].x, y, regions[-1].width + size, 1)
        else:
            regions.append(Region(x, y, size, 1))
    return regions
