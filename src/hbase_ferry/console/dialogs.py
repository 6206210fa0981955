"""Questions: a plain yes, a name to type, a reason, the red button. Each returns what was typed, or None for no.

Invariant: Cancel or an empty field has the focus, OK does nothing until the text is right, Enter alone never
confirms, and what the dialog shows goes on being updated from the newest view. Called by `app`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from hbase_ferry.console.ink import Line, Span, line, row
from hbase_ferry.console.ports import RedButton
from hbase_ferry.console.steps import labelled
from hbase_ferry.console.table import Lines


class Ask(ModalScreen["str | None"]):
    """One question. `body(width)` is asked again at every refresh; `refusal()` non-empty keeps OK disabled."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "Cancel"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "scroll(-9)", show=False),
        Binding("pagedown", "scroll(9)", show=False),
    ]

    def __init__(
        self,
        title: Line,
        body: Callable[[int], Sequence[Line]],
        yes: str,
        *,
        accepts: Callable[[str], bool] | None = None,
        hint: str = "",
        refusal: Callable[[], str] = lambda: "",
    ) -> None:
        """`accepts` None: a plain yes; else a text has to be typed for which it is true. `hint` says which."""
        super().__init__()
        self._title, self._body, self._yes = title, body, yes
        self._accepts, self._hint, self._refusal = accepts, hint, refusal

    def compose(self) -> ComposeResult:
        with Vertical(id="ask"):
            yield Lines(id="ask-body")
            if self._accepts is not None:
                yield Lines(id="ask-hint", focus=False)
                yield Input(id="ask-input", compact=True)
            with Horizontal(id="ask-buttons"):
                yield Button("Cancel", id="ask-no", compact=True)
                yield Button(self._yes, id="ask-yes", compact=True, disabled=True)

    def on_mount(self) -> None:
        self.update()
        self.query_one("#ask-input" if self._accepts is not None else "#ask-no").focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self.update)

    def action_scroll(self, by: int) -> None:
        self.query_one("#ask-body", Lines).scroll_rows(by)

    def typed(self) -> str:
        return self.query_one(Input).value if self._accepts is not None else ""

    def update(self) -> None:
        """Shows the newest state of what is asked about."""
        body = self.query_one("#ask-body", Lines)
        width = max(30, self.query_one("#ask").content_size.width)
        refusal = self._refusal()
        lines = [*self._body(width)]
        if refusal:
            lines += labelled("REFUSED", refusal, width, "bad")
        _fit(body, [self._title], lines, self.size.height - (7 if self._accepts is not None else 5))
        if self._accepts is not None:
            self.query_one("#ask-hint", Lines).show([], [line(Span(" " + self._hint, "strong"))])
        self._judge(refusal)

    def _judge(self, refusal: str) -> None:
        right = self._accepts is None or self._accepts(self.typed())
        self.query_one("#ask-yes", Button).disabled = bool(refusal) or not right

    @on(Input.Changed)
    def _typed(self) -> None:
        self._judge(self._refusal())

    @on(Input.Submitted)
    def _entered(self) -> None:
        button = self.query_one("#ask-yes", Button)
        if not button.disabled:
            button.focus()

    @on(Button.Pressed, "#ask-no")
    def action_no(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#ask-yes")
    def _yes_pressed(self) -> None:
        if not self._refusal() and (self._accepts is None or self._accepts(self.typed())):
            self.dismiss(self.typed())


def _fit(pane: Lines, head: Sequence[Line], lines: Sequence[Line], most: int) -> None:
    """Shows the lines in at most `most` rows; what does not fit is scrolled, and the heading says so."""
    height = max(2, min(len(head) + len(lines), most))
    if pane.styles.height is None or pane.styles.height.value != height:
        pane.styles.height = height
    pane.show(head, lines)


class Red(ModalScreen["tuple[str, str] | None"]):
    """The red button: choose the peer, read what is lost, type its id. Returns peer id and typed text."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "Cancel"),
        Binding("enter", "take", "this peer", show=False),
        Binding("pageup", "scroll(-9)", show=False),
        Binding("pagedown", "scroll(9)", show=False),
    ]

    def __init__(self, peers: Callable[[], Sequence[str]], ask: Callable[[str], RedButton], where: str) -> None:
        super().__init__()
        self._peers, self._ask, self._where = peers, ask, where
        self._red: RedButton | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="ask", classes="red"):
            yield Lines(id="red-peers", pick=True)
            yield Lines(id="ask-body")
            yield Lines(id="ask-hint", focus=False)
            yield Input(id="ask-input", compact=True, disabled=True)
            with Horizontal(id="ask-buttons"):
                yield Button("Cancel", id="ask-no", compact=True)
                yield Button("Remove the peer", id="ask-yes", compact=True, disabled=True)

    def on_mount(self) -> None:
        self.update()
        self.query_one("#red-peers" if self._peers() else "#ask-no").focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self.update)

    def update(self) -> None:
        """Shows the newest loss and the newest peers."""
        peers = list(self._peers())
        listing, body = self.query_one("#red-peers", Lines), self.query_one("#ask-body", Lines)
        width = max(30, self.query_one("#ask").content_size.width)
        title = Span(f" RED BUTTON: remove a peer now, on SOURCE {self._where} ", "alarm")
        rows = [row((peer,), (max(10, width - 4),), indent=2) for peer in peers]
        _fit(listing, [line(title, fill="alarm")], rows, 4)
        if not peers:
            lines = [line(Span(" There is no peer on the source.", "strong"))]
        else:
            chosen = peers[min(listing.cursor, len(peers) - 1)]
            self._red = self._ask(chosen)
            lines = red_lines(self._red, width)
        _fit(body, [line("")], lines, self.size.height - 8 - min(3, len(peers)))
        self._say()

    def _say(self) -> None:
        field, hint = self.query_one(Input), self.query_one("#ask-hint", Lines)
        if self._red is None:
            text = ""
        elif field.disabled:
            text = " Enter takes this peer; then its id has to be typed."
        else:
            text = f" {self._red.confirmation.sentence}:"
        hint.show([], [line(Span(text, "strong"))])
        self.query_one("#ask-yes", Button).disabled = not self._right()

    def _right(self) -> bool:
        field = self.query_one(Input)
        return self._red is not None and not field.disabled and field.value == self._red.confirmation.expected

    def action_scroll(self, by: int) -> None:
        self.query_one("#ask-body", Lines).scroll_rows(by)

    def action_take(self) -> None:
        """The listed peer is meant: from now on its id may be typed."""
        if self._red is not None and self.query_one(Input).disabled:
            self.query_one(Input).disabled = False
            self.query_one(Input).focus()
            self._say()

    @on(Lines.Picked)
    def _moved(self) -> None:
        field = self.query_one(Input)
        field.value, field.disabled = "", True
        self.update()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._say()

    @on(Input.Submitted)
    def _entered(self) -> None:
        if self._right():
            self.query_one("#ask-yes", Button).focus()

    @on(Button.Pressed, "#ask-no")
    def action_no(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#ask-yes")
    def _yes_pressed(self) -> None:
        if self._red is not None and self._right():
            self.dismiss((self._red.peer_id, self.query_one(Input).value))


def red_lines(red: RedButton, width: int) -> list[Line]:
    """What is lost, what comes back, what is sent."""
    lines: list[Line] = []
    if red.exists is not True:
        text = "is not on the source" if red.exists is False else "may or may not be there: the source was not seen"
        lines += labelled("NOTE", f"peer {red.peer_id} {text}", width, "warn")
    for number, text in enumerate(red.lost):
        lines += labelled("LOST" if number == 0 else "", text, width, "bad")
    for number, text in enumerate(red.returns):
        lines += labelled("comes back" if number == 0 else "", text, width)
    for number, text in enumerate(red.commands):
        lines += labelled("will run" if number == 0 else "", text, width)
    return lines
