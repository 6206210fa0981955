"""The page over the panes: help, preview, all events. One prebuilt Lines, so that `?` costs no new screen.

Invariant: what it shows is made anew at every paint. Called by `app`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hbase_ferry.console import pages
from hbase_ferry.console.ink import Line, Span, line
from hbase_ferry.console.table import Lines
from hbase_ferry.model.cluster import Side

if TYPE_CHECKING:
    from hbase_ferry.console.app import Console


class Overlay:
    """Which page is open."""

    def __init__(self, app: Console) -> None:
        self._app = app
        self._page: Callable[[int], tuple[Line, list[Line]]] | None = None
        self._name = ""

    @property
    def open(self) -> bool:
        return self._page is not None

    def close(self) -> None:
        self._show(None)

    def help(self) -> None:
        self._toggle("help", lambda width: pages.help_page(self._app.acting, width))

    def preview(self) -> None:
        def page(width: int) -> tuple[Line, list[Line]]:
            preview, found = self._app.preview_of_chosen(), self._app.reading
            if preview is None or found is None:
                return line(Span(" Preview", "head-strong"), fill="head"), [line(" nothing was observed yet")]
            names = {side: self._app.service.settings.side(side).name for side in Side}
            return pages.preview_page(preview, self._app.chosen + 1, names, found.view, width)

        self._toggle("preview", page)

    def events(self) -> None:
        def page(width: int) -> tuple[Line, list[Line]]:
            shot = self._app.board.shot
            return pages.events_page(self._app.happened, width, shot.wanted if shot else lambda _: True)

        self._toggle("events", page)
        if self._page is not None:
            self._app.call_after_refresh(self._app.board.query_one("#page", Lines).action_move, 1_000_000)

    def _toggle(self, name: str, page: Callable[[int], tuple[Line, list[Line]]]) -> None:
        self._show(None if self._page is not None and self._name == name else page)
        self._name = name

    def _show(self, page: Callable[[int], tuple[Line, list[Line]]] | None) -> None:
        self._page = page
        pane = self._app.board.query_one("#page", Lines)
        pane.display = page is not None
        pane.top = 0
        if page is None:
            self._app.board.query_one("#steps", Lines).focus()
        else:
            self.paint()
            pane.focus()

    def paint(self) -> None:
        if self._page is not None:
            pane = self._app.board.query_one("#page", Lines)
            head, body = self._page(self._app.board.size.width - 8)
            pane.show([head], body)
