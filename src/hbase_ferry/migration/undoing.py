"""Taking a step back, and the red button: actions outside the order of the plan.

Invariant: a step is taken back only while no later one stands on it; the red button asks for nothing but the typed name
and its own side's pinned id. Called by the service.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hbase_ferry.errors import Refused, StepFailed
from hbase_ferry.migration.core import Action, Step
from hbase_ferry.migration.sending import SETTLE_SECONDS, Sender
from hbase_ferry.model.event import Event, EventKind
from hbase_ferry.model.view import Proof, View

if TYPE_CHECKING:
    from hbase_ferry.migration.service import Confirmation


class Undoer(Sender):
    """One undo, or one press of the red button."""

    def undo(
        self, step: Step, confirmation: str, confirm: Callable[[Step, tuple[Action, ...]], Confirmation]
    ) -> Iterator[Event]:
        """Sends the actions that take a step back, as long as no later step stands on it."""
        view = self._service.observe()
        yield from self._answerless(view)
        self._service.pins.refuse_other_tables()
        actions = step.undo(view)
        if not actions:
            raise Refused(f"step {step.id} has nothing to undo")
        self._service.pins.pin(view, {action.side for action in actions})
        later = self._standing_on(step, view)
        if later:
            raise Refused(f"undo {later} first: it stands on {step.id}")
        expected = confirm(step, actions).expected
        if expected and confirmation != expected:
            raise Refused(f"the undo of {step.id} has to be confirmed by typing {expected}")
        yield self._emit(EventKind.STEP_STARTED, step, f"undo: {step.title}")
        with self._taking_back(step):
            for action in actions:
                yield from self._send(step, action, undo=True)
            self._until_gone(step)
        undone = Proof("undone", step.id, self._clock.now(), {}, f"{step.id} was taken back")
        yield self._proof(step, undone)
        yield self._emit(EventKind.STEP_DONE, step, f"undone: {step.title}")

    @contextlib.contextmanager
    def _taking_back(self, step: Step | None) -> Iterator[None]:
        name = step.id if step is not None else ""
        self._records.undoing.add(name)
        try:
            yield
        finally:
            self._records.undoing.discard(name)

    def _until_gone(self, step: Step) -> None:
        view = self._service.observe()
        waits = 0.0
        while step.undo(view) and waits < SETTLE_SECONDS:
            waits += self._service.settings.poll_seconds
            view = self._pause(step)
        if step.undo(view):
            raise StepFailed(f"undo of {step.id} was sent, and the clusters still show the step's effect")

    def _standing_on(self, step: Step, view: View) -> str:
        """A later step whose effect has to be taken back first; empty: none."""
        steps = self._service.plan.steps
        later = steps[steps.index(step) + 1 :]
        return next((s.id for s in reversed(later) if s.undo(view) and step in self._service.plan.before(s)), "")

    def at_once(
        self,
        action: Action,
        confirmation: str,
        expected: str,
        gone: Callable[[View], bool | None],
        undoes: Step | None = None,
    ) -> Iterator[Event]:
        """One action outside the plan. Only the typed confirmation and its own side's pinned id stand before it:
        the other side may be down, and often is. `undoes`: the step whose effect it takes back."""
        if confirmation != expected:
            raise Refused(f"{action.command} has to be confirmed by typing {expected}")
        view = self._service.observe()
        self._service.pins.pin(view, (action.side,))
        if gone(view):
            raise Refused(f"{self._name(action.side)} has no {action.touches}: nothing to do")
        started = self._service.emit(EventKind.STEP_STARTED, "red-button", f"red button: {action.command}")
        yield started
        with self._taking_back(undoes):
            yield from self._send(None, action)
            waits = 0.0
            while not gone(view := self._service.observe()) and waits < SETTLE_SECONDS:
                waits += self._service.settings.poll_seconds
                self._clock.sleep(self._service.settings.poll_seconds)
        if not gone(view):
            raise StepFailed(f"{action.command} was sent, and {self._name(action.side)} still shows {action.touches}")
        if undoes is not None:
            yield self._proof(undoes, Proof("undone", undoes.id, self._clock.now(), {}, f"{undoes.id} was taken back"))
        yield self._service.emit(EventKind.STEP_DONE, "red-button", f"{action.touches}: gone")
