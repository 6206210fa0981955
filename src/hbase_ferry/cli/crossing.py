"""Step after step through the service, without a screen: what `run` and `demo --headless` do.

Invariant: what moves the truth or cannot be undone (a step whose confirmation is typed) runs only if it was named.
Everything else is guarded by the service itself.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hbase_ferry.cli.events import EventPrinter
from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import first_look, goes_on, reached
from hbase_ferry.errors import ConfigError, Problem, Refused
from hbase_ferry.migration.core import Plan, Step
from hbase_ferry.model.cluster import Side

if TYPE_CHECKING:
    from hbase_ferry.migration.service import Confirmation, MigrationService


@dataclass(frozen=True)
class Wish:
    """Which steps to run, and which of the dangerous ones were named. `confirmed` None: all of them."""

    confirmed: Collection[str] | None = ()
    until: str = ""
    only: str = ""


@dataclass
class Crossing:
    """One run over the plan."""

    service: MigrationService
    out: Output
    stop: threading.Event
    step: str = ""
    "the step that is or was worked on last"
    unconfirmed: bool = False
    "that step was not begun for want of a confirmation"

    def run(self, wish: Wish) -> ExitCode:
        """Executes every wished step that the clusters do not show yet. Raises as the service does."""
        check_steps(self.service.plan, wish)
        reached(self.service, first_look(self.service, self.out))
        for step in _chosen(self.service.plan, wish):
            if step.done(self.service.view) is True:
                continue
            self.step = step.id
            confirmation = self.service.preview(step.id).confirmation
            if not _confirmed(step.id, confirmation, wish.confirmed):
                return self._needs(step.id, confirmation)
            self._events(self.service.execute(step.id, confirmation.expected, self.stop))
            if self.stop.is_set():
                return self._interrupted()
        return ExitCode.DONE

    def undo(self, step_id: str, wish: Wish) -> ExitCode:
        """Takes one step's effect back. Needs only the sides it changes. Raises as the service does."""
        self.step = step_id
        view = first_look(self.service, self.out)
        preview = self.service.preview(step_id, view)
        reached(self.service, view, {action.side for action in preview.undo} or tuple(Side))
        confirmation = preview.undo_confirmation
        if not _confirmed(step_id, confirmation, wish.confirmed):
            return self._needs(step_id, confirmation)
        self._events(self.service.undo(step_id, confirmation.expected, self.stop))
        return self._interrupted() if self.stop.is_set() else ExitCode.DONE

    def _events(self, events: Iterator[object]) -> None:
        printer = EventPrinter(self.out)
        try:
            printer.show_all(events)  # type: ignore[arg-type]
        except Refused:
            if not self.stop.is_set():
                raise
        finally:
            self.out.progress("")

    def _needs(self, step_id: str, confirmation: Confirmation) -> ExitCode:
        self.unconfirmed = True
        step = self.service.plan.step(step_id)
        self.out.talk(f"stopped before {step_id} ({step.risk.value}): {step.why}")
        self.out.talk(f"to confirm: {confirmation.sentence}; --confirm {step_id} does that")
        return ExitCode.REFUSED

    def _interrupted(self) -> ExitCode:
        self.out.talk("stopped; nothing was undone")
        for line in goes_on(self.service.view, self.service.settings.peer_id):
            self.out.talk(line)
        return ExitCode.INTERRUPTED


def check_steps(plan: Plan, wish: Wish) -> None:
    """Raises ConfigError for a step id that the plan does not have."""
    known = [step.id for step in plan.steps]
    named = [("--confirm", step) for step in sorted(wish.confirmed or ())]
    named += [(flag, step) for flag, step in (("--until", wish.until), ("--step", wish.only)) if step]
    problems = [
        Problem("command line", 0, flag, _unknown(step, known)) for flag, step in named if step not in known
    ]
    if problems:
        raise ConfigError(problems)


def _unknown(step: str, known: list[str]) -> str:
    close = difflib.get_close_matches(step, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"steps are: {', '.join(known)}"
    return f'there is no step "{step}"; {hint}'


def _chosen(plan: Plan, wish: Wish) -> tuple[Step, ...]:
    if wish.only:
        return (plan.step(wish.only),)
    if wish.until:
        return plan.steps[: plan.steps.index(plan.step(wish.until)) + 1]
    return plan.steps


def _confirmed(step_id: str, confirmation: Confirmation, confirmed: Collection[str] | None) -> bool:
    return confirmation.kind != "type" or confirmed is None or step_id in confirmed
