"""The main screen: the panes, which of them are shown at this size, and their painting.

Invariant: top line, both connections, the chosen step and what blocks it are on the screen at every size from 80x24.
Painting writes lines into `Lines`, which repaint only what differs. Called by `app`, which decides what to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Button, Input

from hbase_ferry.console import headline, pages, sides, steps
from hbase_ferry.console.charts import chart_lines, legend
from hbase_ferry.console.ink import Line, Span, line
from hbase_ferry.console.ports import Preview
from hbase_ferry.console.reading import Reading, Series
from hbase_ferry.console.table import Lines
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event

PANES = ("source", "target", "charts", "steps", "detail", "events")
SMALLEST = (80, 24)
_WIDTHS = [(0, "-tiny"), (80, "-narrow"), (120, "-normal"), (200, "-wide")]
_HEIGHTS = [(0, "-flat"), (24, "-short"), (40, "-tall"), (60, "-vast")]


@dataclass(frozen=True)
class Shot:
    """What the screen is to show now."""

    reading: Reading
    name: str
    operator: str
    acting: bool
    chosen: int
    preview: Preview | None
    events: Sequence[Event]
    filter: str
    running: str
    notice: str
    sides: Mapping[Side, str]
    charts: bool
    "plotext is loaded"

    def wanted(self, text: str) -> bool:
        return not self.filter or self.filter.lower() in text.lower()


class Board(Screen[None]):
    """Every pane, laid out by size."""

    AUTO_FOCUS = "#steps"
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(self) -> None:
        super().__init__()
        self.solo = ""
        "name of the one pane shown; empty: all that fit"
        self.shot: Shot | None = None
        self._rows: list[int] = []

    def compose(self) -> ComposeResult:
        yield Lines(id="top", focus=False)
        yield Lines(id="heads", focus=False)
        with Horizontal(id="sides"):
            yield Lines(id="source")
            yield Lines(id="target", classes="right")
        with Horizontal(id="charts"):
            yield Lines(id="lag")
            yield Lines(id="disk", classes="right", focus=False)
        with Horizontal(id="work"):
            yield Lines(id="steps", pick=True)
            with Vertical(id="detail", classes="right"):
                yield Lines(id="text")
                with Horizontal(id="buttons"):
                    if self.app.acting:  # type: ignore[attr-defined]
                        yield Button("Do it", id="do", compact=True, action="app.do")
                    yield Button("Preview", id="preview", compact=True, action="app.preview")
                    if self.app.acting:  # type: ignore[attr-defined]
                        yield Button("Undo", id="undo", compact=True, action="app.undo")
        yield Lines(id="events")
        yield Lines(id="chosen", focus=False)
        yield Lines(id="notice", focus=False)
        yield Input(id="filter", compact=True, placeholder="filter: a part of a name; Enter keeps it, Esc clears it")
        yield Lines(id="footer", focus=False)
        yield Lines(id="page")
        yield Lines(id="small", focus=False)

    # ---- layout

    @property
    def compact(self) -> bool:
        """Whether only one pane fits at a time."""
        return self.size.width < 120 or self.size.height < 40

    def on_resize(self) -> None:
        self.lay_out()
        self.call_after_refresh(self.repaint_all)

    def lay_out(self) -> None:
        """Shows the panes that belong on the screen now."""
        width, height = self.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.query_one("#small").display = small
        page = self.query_one("#page")
        page.styles.width, page.styles.height = max(1, width - 6), max(1, height - 4)
        alone = self.solo or ("steps" if self.compact else "")
        seen = {alone} if alone else set(PANES)
        if alone == "steps" and self.compact:
            seen.add("detail")
        for name in ("source", "target", "charts", "steps", "detail", "events"):
            self.query_one(f"#{name}").display = name in seen
        self.query_one("#sides").display = bool({"source", "target"} & seen)
        self.query_one("#work").display = bool({"steps", "detail"} & seen)
        self.query_one("#heads").display = self.compact or bool(self.solo)
        self.query_one("#chosen").display = self.compact or bool(self.solo)
        self.set_class(bool(alone), "-alone")

    def repaint_all(self) -> None:
        if self.shot is not None and self.children:
            self.paint(self.shot)

    # ---- painting

    def paint(self, shot: Shot) -> None:
        """Puts the shot on the screen."""
        self.shot = shot
        width, height = self.size
        if width < SMALLEST[0] or height < SMALLEST[1]:
            self._lines("small").show([], pages.too_small(width, height))
            return
        self._paint_bars(shot, width)
        for number, side in enumerate(Side, 1):
            pane = self._lines(side.value)
            if pane.display:
                body = sides.side_body(shot.reading, side, pane.size.width, shot.wanted)
                pane.show([sides.side_head(shot.reading, side, number)], body)
        if self.query_one("#charts").display:
            self._paint_charts(shot)
        if self.query_one("#work").display:
            self._paint_work(shot)
        self._paint_events(shot)

    def _paint_bars(self, shot: Shot, width: int) -> None:
        reading = shot.reading
        top = headline.top(reading, shot.name, shot.operator if shot.acting else "", width)
        self._sized("top", top)
        if self.query_one("#heads").display:
            self._lines("heads").show([], [sides.side_head(reading, side, n) for n, side in enumerate(Side, 1)])
        if self.query_one("#chosen").display and reading.status:
            waived = frozenset(reading.view.waivers)
            self._lines("chosen").show([], headline.chosen(reading.status[shot.chosen], shot.chosen + 1, waived))
        notice = [line(Span(f" {shot.notice} ", "alarm"), fill="alarm")] if shot.notice else []
        self._lines("notice").display = bool(notice)
        self._lines("notice").show([], notice)
        self._lines("footer").show([], [headline.footer(shot.acting, width, shot.filter, shot.running)])

    def _sized(self, name: str, lines: list[Line]) -> None:
        pane = self._lines(name)
        if len(lines) != len(pane.body):
            pane.styles.height = len(lines)
        pane.show([], lines)

    def _paint_charts(self, shot: Shot) -> None:
        reading = shot.reading
        self._chart("lag", "Replication lag", reading.lag, "s", shot, reading.now)
        title = "WALs kept and free disk"
        self._chart("disk", title, reading.disk, "bytes", shot, reading.now, reading.runway)

    def _chart(
        self, name: str, title: str, series: Sequence[Series], unit: str, shot: Shot, now: float, note: str = ""
    ) -> None:
        pane = self._lines(name)
        number = Span(" 3 ", "head-dim") if name == "lag" else Span(" ", "head")
        curves = [Span(each.text, f"head-{each.role}" if each.role in ("bad", "warn") else each.role)
                  for each in legend(series)]  # fmt: skip
        head = [line(number, Span(title, "head-strong"), Span(f"  {note}" if note else "", "head"), fill="head")]
        lines: list[Line] = [Line(tuple(curves))] if curves else []
        if shot.charts:
            height = pane.size.height - len(head) - len(lines)
            ascii_only = bool(getattr(self.app, "ascii_only", False))
            lines += chart_lines(series, now, pane.size.width, height, unit, ascii_only)
        pane.show(head, lines)

    def _paint_work(self, shot: Shot) -> None:
        listing, text = self._lines("steps"), self._lines("text")
        if listing.display:
            rows = steps.step_rows(shot.reading, listing.size.width, shot.wanted)
            self._rows = [index for index, _ in rows]
            cursor = self._rows.index(shot.chosen) if shot.chosen in self._rows else 0
            listing.show([steps.steps_head(shot.reading)], [each for _, each in rows], cursor)
        preview = shot.preview
        if preview is not None and self.query_one("#detail").display:
            width = text.size.width
            body = steps.detail_body(preview, shot.sides, shot.reading.view, width)
            text.show([steps.detail_head(preview, shot.chosen + 1)], body)
            self._buttons(preview, shot)

    def _buttons(self, preview: Preview, shot: Shot) -> None:
        if shot.acting:
            can = steps.startable(preview.status, shot.reading.view) and not shot.running
            self.query_one("#do", Button).disabled = not can
            self.query_one("#undo", Button).disabled = not preview.undo or bool(shot.running)

    def _paint_events(self, shot: Shot) -> None:
        pane = self._lines("events")
        if not pane.display:
            return
        at_end = pane.top + pane.room >= len(pane.body)
        lines = pages.event_lines(shot.events, pane.size.width, shot.wanted, False)
        head = line(Span(" 6 ", "head-dim"), Span("Events", "head-strong"), f"  {len(shot.events)}", fill="head")
        pane.show([head], lines)
        if at_end:
            pane.scroll_rows(len(lines))

    def _lines(self, name: str) -> Lines:
        return self.query_one(f"#{name}", Lines)

    # ---- what the operator did

    def step_at(self, row: int) -> int | None:
        """Index in the plan of a row of the list."""
        return self._rows[row] if 0 <= row < len(self._rows) else None
