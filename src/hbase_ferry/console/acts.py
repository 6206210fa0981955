"""What an operator may set going: do, undo, waive, the red button, stop, leave. Asks first; the service decides.

Invariant: nothing starts without the confirmation its risk demands, one action runs at a time, and each runs in the
runner's thread. Called by `app` for the keys of the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from threading import Event as Flag
from typing import TYPE_CHECKING

from hbase_ferry.console.steps import startable
from hbase_ferry.migration.core import StepState
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event

if TYPE_CHECKING:
    from hbase_ferry.console.app import Console
    from hbase_ferry.console.dialogs import Ask
    from hbase_ferry.console.ports import Confirmation, Preview


class Acts:
    """The acting keys of one console."""

    def __init__(self, app: Console) -> None:
        self._app = app

    def do(self) -> None:
        preview = self._app.preview_of_chosen()
        if preview is None or self._busy():
            return
        if not startable(preview.status, self._app.newest()):
            self._app.say(_refusal(preview))
            return
        step_id = preview.step.id

        def act(typed: str) -> None:
            self._start(preview.step.title, lambda stop: self._app.service.execute(step_id, typed, stop))

        def refusal() -> str:
            now = self._app.service.preview(step_id, self._app.newest())
            return "" if startable(now.status, self._app.newest()) else _refusal(now)

        self._ask_for(preview, preview.confirmation, "Do it", act, refusal)

    def undo(self) -> None:
        preview = self._app.preview_of_chosen()
        if preview is None or self._busy():
            return
        if not preview.undo:
            self._app.say(f"step {self._app.chosen + 1} has nothing to take back now")
            return
        step_id = preview.step.id

        def act(typed: str) -> None:
            title = f"undo {preview.step.title}"
            self._start(title, lambda stop: self._app.service.undo(step_id, typed, stop))

        self._ask_for(preview, preview.undo_confirmation, "Undo", act, lambda: "")

    def _ask_for(
        self, preview: Preview, confirmation: Confirmation, yes: str, act: Callable[[str], None],
        refusal: Callable[[], str],
    ) -> None:  # fmt: skip
        if confirmation.kind == "none":
            act("")
            return
        from hbase_ferry.console.questions import step_question

        names = {side: self._app.service.settings.side(side).name for side in Side}

        def now() -> Preview:
            return self._app.service.preview(preview.step.id, self._app.newest())

        number = self._app.chosen + 1
        self.ask(step_question(now, number, confirmation, yes, names, self._app.newest, refusal), act)

    def waive(self) -> None:
        from hbase_ferry.console.questions import waiver_question
        from hbase_ferry.console.steps import closed_waivable

        preview = self._app.preview_of_chosen()
        if preview is None or self._busy():
            return
        gate = closed_waivable(preview, self._app.newest().waivers)
        if gate is None:
            self._app.say(f"step {self._app.chosen + 1} has no closed gate that may be waived")
            return
        name = gate.name

        def act(reason: str) -> None:
            self._start(f"waive {name}", lambda stop: iter((self._app.service.waive(name, reason.strip()),)))

        self.ask(waiver_question(gate), act)

    def red(self) -> None:
        """The red button, whatever runs: it has a thread of its own."""
        from hbase_ferry.console.dialogs import Red

        if self._app.red_runner.running:
            self._app.say(f"{self._app.red_runner.running} is running")
            return
        settings = self._app.service.settings

        def peers() -> list[str]:
            seen = [peer.id for peer in self._app.newest().source.peers.value or ()]
            return sorted(seen, key=lambda each: (each != settings.peer_id, each))

        def done(answer: tuple[str, str] | None) -> None:
            if answer is not None:
                peer, typed = answer
                self._app.notice = ""
                act = partial(self._app.service.remove_peer_now, peer, typed)
                self._app.red_runner.start(f"red button: remove peer {peer}", act)
                self._app.paint()

        self._app.be_deaf()
        red = Red(peers, lambda peer: self._app.service.red_button(peer, self._app.newest()), settings.source.name)
        self._app.push_screen(red, done)

    def stop(self) -> None:
        if self._app.runner.running:
            self._app.runner.stop()
            self._app.say(f"{self._app.runner.running}: stops after its present action; a job in a cluster goes on")

    def leave(self) -> None:
        """Quits; asks first while an action runs."""
        if not self._app.runner.running:
            self._app.leave_now()
            return
        from hbase_ferry.console.questions import leaving_question

        self.ask(leaving_question(self._app.runner.running), lambda _: self._app.leave_now())

    def ask(self, question: Ask, act: Callable[[str], None]) -> None:
        """Opens a dialog, deaf for a moment, and acts on a yes."""
        self._app.be_deaf()
        self._app.push_screen(question, lambda typed: act(typed) if typed is not None else None)

    def _busy(self) -> bool:
        if self._app.runner.running:
            self._app.say(f"{self._app.runner.running} is running; s stops it")
        return bool(self._app.runner.running)

    def _start(self, title: str, act: Callable[[Flag], Iterator[Event]]) -> None:
        self._app.notice, self._app.follow = "", True
        self._app.runner.start(title, act)
        self._app.paint()


def _refusal(preview: Preview) -> str:
    status = preview.status
    reason = {
        StepState.DONE: "it is done",
        StepState.LATER: "a step before it is not done",
        StepState.UNKNOWN: "a side was not seen, so it is not known where it stands",
    }.get(status.state, "; ".join(status.blocked) or status.failure)
    return f"{preview.step.title}: {reason}"
