"""What the keys do: panes, pages, the filter; and the keys that act, which `acts` carries out. Base of `app.Console`.

Invariant: a key only changes what is shown or hands on to `acts`; nothing here waits for a cluster.
"""

from __future__ import annotations

from textual.app import App
from textual.widgets import Input

from hbase_ferry.console.acts import Acts
from hbase_ferry.console.board import PANES, Board
from hbase_ferry.console.keys import DANGEROUS
from hbase_ferry.console.overlay import Overlay
from hbase_ferry.console.ports import Ferry
from hbase_ferry.console.table import Lines


class Operated(App[int]):
    """The keys' half of the console."""

    acting: bool
    "started with --act"
    board: Board
    overlay: Overlay
    acts: Acts
    ferry: Ferry
    follow: bool
    "the chosen step is the one to be done next"
    filter_text: str
    notice: str

    def paint(self) -> None:
        """The newest view on the screen."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """One line that stays until Esc or the next thing to say."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without --act a dangerous key is not bound at all."""
        return self.acting or action not in DANGEROUS

    def action_pane(self, number: int) -> None:
        """Focus of that pane; where it has it already, or where panes do not fit together, that pane alone."""
        name = PANES[number - 1]
        target = self.board.query_one({"charts": "#lag", "detail": "#text"}.get(name, f"#{name}"), Lines)
        if self.board.compact:
            self.board.solo = name
        elif self.board.solo:
            self.board.solo = name if self.board.solo != name else ""
        elif target.has_focus:
            self.board.solo = name
        self._rearranged(target)

    def _rearranged(self, focus: Lines) -> None:
        self.board.lay_out()
        focus.focus()
        self.call_after_refresh(self.paint)

    def action_now(self) -> None:
        self.follow = True
        self.paint()

    def action_look(self) -> None:
        self.look()

    def look(self) -> None:
        """Both clusters are looked at now, elsewhere; the answer arrives as a view."""
        self.ferry.poke()

    def action_close(self) -> None:
        """Closes the page, else clears the filter and the notice and shows every pane."""
        if self.overlay.open:
            self.overlay.close()
            return
        self.filter_text = self.notice = ""
        field = self.board.query_one("#filter", Input)
        field.value, field.display = "", False
        self.board.solo = ""
        self._rearranged(self.board.query_one("#steps", Lines))

    def action_help(self) -> None:
        self.overlay.help()

    def action_preview(self) -> None:
        self.overlay.preview()

    def action_events(self) -> None:
        self.overlay.events()

    def action_filter(self) -> None:
        field = self.board.query_one("#filter", Input)
        field.display = True
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self.filter_text = event.value
            self.paint()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            event.input.display = False
            self.board.query_one("#steps", Lines).focus()

    # ---- acting: see `acts`

    def action_do(self) -> None:
        self.acts.do()

    def action_undo(self) -> None:
        self.acts.undo()

    def action_waive(self) -> None:
        self.acts.waive()

    def action_red(self) -> None:
        self.acts.red()

    def action_stop(self) -> None:
        self.acts.stop()

    def action_leave(self) -> None:
        self.acts.leave()

    async def action_quit(self) -> None:
        self.acts.leave()

    def action_help_quit(self) -> None:
        self.say("q quits")
