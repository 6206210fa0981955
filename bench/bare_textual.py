"""The yardstick: a Textual program of about thirty lines with two tables of 200 rows, some cells new every second.

It does nothing of what the console does: no clusters, no plan, no charts. Started by `console_pty` in a process of
its own, as `python -m bench.bare_textual`.
"""

from __future__ import annotations

from itertools import count
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.coordinate import Coordinate
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Header, Static

ROWS = 200
CHANGES = 5
HELP = "the help of the bare program"


class Help(ModalScreen[None]):
    """A page over the tables."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "close")]

    def compose(self) -> ComposeResult:
        yield Static("\n".join([HELP, *(f"key {number}: does something" for number in range(20))]))


class Bare(App[None]):
    """Two tables side by side."""

    BINDINGS: ClassVar[list[BindingType]] = [("question_mark", "help", "help"), ("q", "quit", "quit")]

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            yield DataTable[str](id="left", cursor_type="row")
            yield DataTable[str](id="right", cursor_type="row")
        yield Footer()

    def on_mount(self) -> None:
        self._numbers = count()
        for table in self.query(DataTable):
            table.add_columns("table", "state", "regions", "writes")
            for row in range(ROWS):
                table.add_row(f"app:table_{row:03d}", "enabled", "8", str(row), key=str(row))
        self.query_one("#left").focus()
        self.set_interval(1.0, self.refresh_cells)

    def refresh_cells(self) -> None:
        for table in self.query(DataTable):
            for row in range(CHANGES):
                table.update_cell_at(Coordinate(row, 3), f"{next(self._numbers)}")

    def action_help(self) -> None:
        self.push_screen(Help())


if __name__ == "__main__":
    Bare().run()
