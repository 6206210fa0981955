"""The console: takes views and events as they arrive, paints at most once a second, asks before anything is sent.

Invariant: nothing here waits for a cluster. Views come through a mailbox, actions and every other call with I/O run in
threads of their own, leaving waits for none of them. Called by the command line through `run`, and by tests.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from hbase_ferry.console import life, reading
from hbase_ferry.console import theme as themes
from hbase_ferry.console.acts import Acts
from hbase_ferry.console.board import Board, Shot
from hbase_ferry.console.commands import commands
from hbase_ferry.console.ink import Palette
from hbase_ferry.console.keys import bindings
from hbase_ferry.console.operated import Operated
from hbase_ferry.console.overlay import Overlay
from hbase_ferry.console.table import Lines
from hbase_ferry.console.work import Arrived, Ended, Happened, Mailbox, Runner, aside
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind
from hbase_ferry.model.view import View

if TYPE_CHECKING:
    from hbase_ferry.console.ports import Ferry, Preview

MAX_EVENTS = 2000
TICK_SECONDS = 1.0
SOON_SECONDS = 0.15
TYPE_AHEAD_SECONDS = 0.3


class Console(Operated):
    """The screen of one migration."""

    TITLE = "hbase-ferry"
    CSS_PATH = Path(__file__).with_name("style.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    COMMAND_PALETTE_BINDING = "colon"
    AUTO_FOCUS = None

    def __init__(
        self,
        ferry: Ferry,
        palette: Palette,
        *,
        ascii_only: bool = False,
        mailbox: Mailbox | None = None,
        tick: float = TICK_SECONDS,
        type_ahead: float = TYPE_AHEAD_SECONDS,
        charts_at_once: bool = False,
    ) -> None:
        """`tick` 0: paints only when told to (tests). `charts_at_once`: loads plotext before the first paint."""
        self.palette, self.ascii_only = palette, ascii_only
        super().__init__(ansi_color=palette.ansi)
        self.ferry, self.service = ferry, ferry.service
        self.acting = ferry.service.acting
        made = themes.to_textual(palette)
        self.register_theme(made)
        self.set_reactive(App.theme, made.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.mailbox = mailbox or Mailbox()
        self._unsubscribe: list[Callable[[], None]] = []
        if mailbox is None:
            self._unsubscribe.append(ferry.subscribe(self.mailbox.put))
        self.runner, self.red_runner = Runner(self.send), Runner(self.send)
        self.tick, self.type_ahead = tick, type_ahead
        self.charts = charts_at_once
        self.board = Board()
        self.chosen, self.follow = 0, True
        self.filter_text = self.notice = ""
        self.happened: list[Event] = []
        self.reading: reading.Reading | None = None
        self.acts, self.overlay = Acts(self), Overlay(self)
        self.reader = reading.Reader(self.service, ferry.history)
        self._unseen = self.service.view
        self._deaf_until = 0.0
        self._soon = False
        self._terminal: Flag | None = None

    # ---- life

    def get_default_screen(self) -> Screen[None]:
        return self.board

    def on_mount(self) -> None:
        """Theme, signals, roads from the other threads, then the first paint."""
        self.animation_level = "none"
        self.set_class(self.ascii_only, "-ascii")
        loop = asyncio.get_running_loop()
        if not self.is_headless:
            life.on_signals(loop, self.leave_now)
            self._terminal = life.watch_terminal(loop, self.leave_now)
        self._unsubscribe.append(self.service.subscribe(self._heard))
        aside(self._first_events, "first events")
        self.mailbox.wake_once(lambda: self.send(Arrived()))
        if self.tick:
            self.set_interval(self.tick, self.paint)
        self.call_after_refresh(self._first_paint)

    def _first_paint(self) -> None:
        self.paint()
        if not self.charts:
            aside(self._load_charts, "charts")

    def _load_charts(self) -> None:
        import textual_plotext.plot  # noqa: F401

        self.charts = True

    def _heard(self, event: Event) -> None:
        """On the acting thread: the view that belongs to the event, then the event."""
        self.mailbox.put(self.service.view)
        self.send(Happened(event))

    def _first_events(self) -> None:
        for event in self.service.events():
            self.send(Happened(event))

    def send(self, message: Any) -> None:
        """Posts from any thread; a console that has ended hears nothing."""
        if self._running:
            try:
                self.post_message(message)
            except RuntimeError:
                return

    def leave_now(self, code: int = 0) -> None:
        """Ends at once: running threads are daemons and are not waited for."""
        self.runner.stop()
        for end in self._unsubscribe:
            end()
        if self._terminal is not None:
            self._terminal.set()
        self.exit(code, return_code=code)

    def _fatal_error(self) -> None:
        """Textual's own prints local variables; a password may be among them."""
        from rich.segment import Segments
        from rich.traceback import Traceback

        trace = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(trace, self.console.options)))
        self._close_messages_no_wait()

    async def on_event(self, event: events.Event) -> None:
        """Swallows what was typed for another window when a dialog had just opened."""
        if isinstance(event, events.Key) and time.monotonic() < self._deaf_until:
            return
        await super().on_event(event)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(themes.to_textual(self.palette).variables)

    # ---- painting

    def use_palette(self, palette: Palette) -> None:
        """Another theme, now."""
        self.palette = palette
        made = themes.to_textual(palette)
        self.register_theme(made)
        self.theme = made.name
        for pane in self.board.query(Lines):
            pane.repaint()

    def paint(self) -> None:
        """The newest view on the screen; a dialog that is open is brought up to date too."""
        if not self.board.is_mounted or not self.board.children:
            return
        self._soon = False
        view = self.newest()
        self.reading = found = self.reader.read(view)
        if self.follow and found.status:
            self.chosen = len(found.status) - 1 if found.current is None else found.current
        with self.batch_update():
            self.board.paint(self._shot(found))
            self.overlay.paint()
        for screen in self.screen_stack[1:]:
            update = getattr(screen, "update", None)
            if callable(update) and screen.is_mounted:
                update()

    def _shot(self, found: reading.Reading) -> Shot:
        settings = self.service.settings
        return Shot(
            reading=found, name=settings.name, acting=self.acting, chosen=self.chosen,
            preview=self.preview_of_chosen(), events=self.happened, filter=self.filter_text,
            operator=self.ferry.operator, running=self.runner.running, notice=self.notice, charts=self.charts,
            sides={side: settings.side(side).name for side in Side},
        )  # fmt: skip

    def preview_of_chosen(self) -> Preview | None:
        """The chosen step as it would be done now."""
        if self.reading is None or not self.reading.status:
            return None
        self.chosen = max(0, min(self.chosen, len(self.reading.status) - 1))
        return self.service.preview(self.reading.status[self.chosen].step.id, self.reading.view)

    def on_arrived(self, _: Arrived) -> None:
        """The first views are painted as they come, until both sides have answered or failed."""
        self.paint()
        identities = (self.newest().source.identity, self.newest().target.identity)
        if any(each.at is None and each.error is None for each in identities):
            self.mailbox.wake_once(lambda: self.send(Arrived()))

    def paint_soon(self) -> None:
        """A paint for what an action brought, several of which become one."""
        if self.tick and not self._soon:
            self._soon = True
            self.set_timer(SOON_SECONDS, self.paint)

    def on_happened(self, message: Happened) -> None:
        """Into the log, in order and once."""
        event = message.event
        if event.number and any(event.number == known.number for known in self.happened[-50:]):
            return
        last = self.happened[-1] if self.happened else None
        if last is not None and last.kind is event.kind is EventKind.PROGRESS and last.step == event.step:
            self.happened.pop()
        self.happened.append(event)
        if event.number:
            self.happened.sort(key=lambda each: each.at)
        del self.happened[:-MAX_EVENTS]
        self.paint_soon()

    def on_ended(self, message: Ended) -> None:
        self.runner.ended(message.title)
        self.red_runner.ended(message.title)
        self.say(f"{message.title}: {message.problem}" if message.problem else "")
        self.look()

    def say(self, text: str) -> None:
        """One line that stays until Esc or the next thing to say."""
        self.notice = text
        self.paint()

    def on_lines_picked(self, message: Lines.Picked) -> None:
        if message.lines.id == "steps":
            index = self.board.step_at(message.index)
            if index is not None:
                self.chosen, self.follow = index, False
                self.call_after_refresh(self.paint)

    def be_deaf(self) -> None:
        """A dialog opens: what is typed within the next moment was meant for something else."""
        self._deaf_until = time.monotonic() + self.type_ahead

    def newest(self) -> View:
        """The newest view there is."""
        return self.mailbox.newest() or self._unseen

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the command palette offers."""
        return commands(self)


def run(ferry: Ferry, *, theme: str | None = None, ascii_only: bool = False, mouse: bool = True) -> int:
    """Shows the console until the operator leaves. Returns the exit code. Raises ConfigError for theme and terminal."""
    life.check_terminal(os.environ)
    life.check_streams()
    plain = life.wants_plain(os.environ)
    palette = themes.load(theme or (themes.PLAIN if plain else themes.DEFAULT))
    mailbox = Mailbox()
    ferry.subscribe(mailbox.put)
    aside(ferry.start, "start")
    app = Console(ferry, palette, ascii_only=ascii_only, mailbox=mailbox)
    app.run(mouse=mouse)
    code = app.return_code or 0
    if not life.close_within(ferry.close):
        os._exit(code)
    if life.lingering():
        life.hard_end(code)
    return code
