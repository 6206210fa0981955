"""The one object front ends hold: view, plan, preview, execute, undo, events. Guards stand here, not in screens.

Invariant: nothing is sent to a cluster unless this process may act, the plan allows the step, the confirmation fits
its risk, both clusters are the pinned ones, and the intent is on disk.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hbase_ferry.errors import FerryError, Refused, StepFailed
from hbase_ferry.insight.disk import removal_cost
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.migration import commands
from hbase_ferry.migration.context import Context
from hbase_ferry.migration.core import Action, Gate, Plan, Risk, Step, StepState, StepStatus
from hbase_ferry.migration.executor import Executor
from hbase_ferry.migration.journal import Journal
from hbase_ferry.migration.pins import Pins
from hbase_ferry.migration.records import Records
from hbase_ferry.migration.repairing import Repairer
from hbase_ferry.migration.settings import Settings
from hbase_ferry.migration.sight import ClusterPort, Sight
from hbase_ferry.migration.targets import kind_of
from hbase_ferry.migration.undoing import Undoer
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.event import Event, EventKind, Json
from hbase_ferry.model.view import View
from hbase_ferry.model.watch import Watch

Hand: TypeAlias = "tuple[MigrationService, Mapping[Side, ClusterPort], Records, threading.Event]"
"""What an execution works with."""


@dataclass(frozen=True)
class Confirmation:
    """What the operator has to do before a step runs. `kind`: none, yes (a plain yes), type (type `expected`)."""

    kind: str
    expected: str
    sentence: str


@dataclass(frozen=True)
class PreviewLine:
    """One action as it will be sent: side, command line, what it touches, whether its effect is there already."""

    side: Side
    command: str
    touches: str
    done: bool | None
    risk: Risk
    unknown: tuple[str, ...]
    wait: str = ""
    "sent, and what it waits for"


@dataclass(frozen=True)
class Preview:
    """Everything a front end shows of a step before it runs."""

    step: Step
    status: StepStatus
    lines: tuple[PreviewLine, ...]
    gates: tuple[Gate, ...]
    undo: tuple[Action, ...]
    undo_note: str
    confirmation: Confirmation
    undo_confirmation: Confirmation


@dataclass(frozen=True)
class RedButton:
    """What removing a peer at once costs and gives back. `exists` None: the peers were not seen."""

    peer_id: str
    exists: bool | None
    lost: tuple[str, ...]
    returns: tuple[str, ...]
    commands: tuple[str, ...]
    confirmation: Confirmation


class MigrationService:
    """One migration, for every front end."""

    def __init__(
        self,
        settings: Settings,
        clusters: Mapping[Side, ClusterPort],
        journal: Journal,
        *,
        clock: Clock | None = None,
        acting: bool = False,
        side_by_side: bool = True,
    ) -> None:
        """`acting` False: reads only; every change is refused. `side_by_side`: see Sight."""
        self.settings, self.acting, self.run_id = settings, acting, journal.run_id
        self.clock = clock or SystemClock()
        self._journal, self._clusters = journal, clusters
        self._records = Records(journal)
        ctx = Context(settings, journal.run_id, self.clock)
        self.kind = kind_of(settings)
        self.plan: Plan = self.kind.plan(ctx)
        self.sight = Sight(ctx, clusters, self._records, self.clock, self.kind, side_by_side=side_by_side)
        self._listeners: list[Callable[[Event], None]] = []
        self._newest_status: tuple[View | None, tuple[StepStatus, ...]] = (None, ())
        self.pins = Pins(settings, clusters, journal)

    # ---- seeing

    @property
    def view(self) -> View:
        """The newest merged view. No I/O."""
        return self.sight.view

    def observe(self) -> View:
        """A fresh look at both sides."""
        return self._remembered(self.sight.observe())

    def survey(self) -> View:
        """A fresh look, and the target's ports tried from the source's edge node: what the preflight reads."""
        return self._remembered(self.sight.survey())

    def accept(self, seen: ClusterView) -> View:
        """Merges a poller's finished look."""
        return self._remembered(self.sight.accept(seen))

    def _remembered(self, view: View) -> View:
        """`view`, with what no later look will show put on disk. One process keeps the journal: the one that acts."""
        if not self.acting:
            return view
        steps = (step for step in self.plan.steps if step.id not in self._records.undoing)
        lost = [(step.id, proof) for step in steps if (proof := step.lost(view)) is not None]
        looks = tuple(self.sight.history)
        counted = [("", proof) for proof in self.kind.remember(view, self.settings, looks)]
        for step_id, proof in (*lost, *counted):
            self.emit(EventKind.PROOF, step_id, proof.note or proof.kind, self.sight.record(proof))
        return self.view if lost or counted else view

    def causes(self, view: View | None = None) -> tuple[Cause, ...]:
        """Why this migration's peer stalls, as far as both sides show it; empty: nothing is seen."""
        history = tuple(self.sight.history)
        return self.kind.causes(self.settings.peer_id, history, view or self.view)

    def watch(self, side: Side) -> Watch:
        """What a poller should ask this side for."""
        return self.sight.watch(side)

    def status(self, view: View | None = None) -> tuple[StepStatus, ...]:
        """Every step's state, in order."""
        view = view or self.view
        seen, states = self._newest_status
        if seen is not view:
            states = self.plan.status(view)
            self._newest_status = (view, states)
        return states

    def preview(self, step_id: str, view: View | None = None) -> Preview:
        """What the step would do. No I/O. Raises Refused for a step that does not exist."""
        view, step = view or self.view, self._step(step_id)
        status = next(s for s in self.status(view) if s.step is step)
        lines = tuple(
            PreviewLine(
                e.action.side, e.action.command, e.action.touches, e.done, e.action.risk, e.action.unknown, e.wait
            )
            for e in step.effects(view)
        )
        undo = step.undo(view)
        return Preview(
            step,
            status,
            lines,
            step.gates(view),
            undo,
            step.undo_note,
            self._confirmation(step),
            self._undo_confirmation(step, undo),
        )

    # ---- acting

    def execute(self, step_id: str, confirmation: str = "", stop: threading.Event | None = None) -> Iterator[Event]:
        """Does one step and yields what happens; the last event says how it ended.

        Raises Refused (nothing was sent by the refused part), StepFailed, Unreachable. Setting `stop` ends the wait,
        not what runs in the cluster.
        """
        step = self._step(step_id)
        return self._guarded(
            step.id,
            lambda hand: Executor(*hand).execute(step, confirmation, self._confirmation(step).expected),
            stop,
        )

    def undo(self, step_id: str, confirmation: str = "", stop: threading.Event | None = None) -> Iterator[Event]:
        """Takes a step's effect back. Raises as `execute` does."""
        step = self._step(step_id)
        return self._guarded(
            step.id, lambda hand: Undoer(*hand).undo(step, confirmation, self._undo_confirmation), stop
        )

    def remove_peer_now(self, peer_id: str, confirmation: str, stop: threading.Event | None = None) -> Iterator[Event]:
        """The red button: removes a peer of the source at once, whatever the plan says and whatever step runs.

        It does not wait for the right to act: a disk that fills cannot wait for an export. A step under way sees the
        peer gone at its next look.
        """
        action = Action(
            Side.SOURCE,
            "peer.remove",
            {"id": peer_id},
            f"remove_peer {commands.ruby(peer_id)}",
            f"peer {peer_id} and its backlog",
            Risk.DESTRUCTIVE,
        )
        return self._guarded(
            "red-button",
            lambda hand: Undoer(*hand).at_once(
                action,
                confirmation,
                peer_id,
                lambda view: None if view.source.peers.current is None else view.source.peer(peer_id) is None,
                next((step for step in self.plan.steps if step.adds_peer == peer_id), None),
            ),
            stop,
            at_once=True,
        )

    def repair_row(
        self, table: str, key: bytes, confirmation: str, stop: threading.Event | None = None
    ) -> Iterator[Event]:
        """Writes one row of the source to the target again. Raises Refused, AgentError, Unreachable."""
        if not self.kind.repairs:
            name = self.settings.target.name
            raise Refused(f"rows of {name} are not written by hbase-ferry: HBase's SyncTable without --dryrun does it")
        named = next((t for t in self.settings.tables if t.name == table), None)
        if named is None:
            raise Refused(f"{table} is not a table of this migration")
        return self._guarded(
            "repair", lambda hand: Repairer(*hand).row(table, named.families, key, confirmation), stop
        )

    def red_button(self, peer_id: str, view: View | None = None) -> RedButton:
        """What removing this peer costs and gives back. No I/O."""
        view = view or self.view
        cost = removal_cost(peer_id, view, tuple(self.sight.history))
        known = view.source.peers.current is not None
        return RedButton(
            peer_id,
            (view.source.peer(peer_id) is not None) if known else None,
            cost.lost,
            cost.returns,
            (f"remove_peer {commands.ruby(peer_id)}",),
            Confirmation("type", peer_id, f"type {peer_id} to remove it from {self.settings.source.name}"),
        )

    def waive(self, gate: str, reason: str) -> Event:
        """Accepts a closed gate with a reason. Raises Refused for a gate that nobody may waive, or no reason."""
        if not self.acting:
            raise Refused("this hbase-ferry is READ-ONLY: start it with --act to change anything")
        known = {g.name: g for step in self.plan.steps for g in step.gates(self.view)}
        if gate not in known or not known[gate].waivable:
            names = ", ".join(sorted(n for n, g in known.items() if g.waivable)) or "none now"
            raise Refused(f"gate {gate} cannot be waived; gates that can: {names}")
        if len(reason.strip()) < 3:
            raise Refused(f"gate {gate} is waived with a reason of at least three characters")
        if known[gate].open is True:
            raise Refused(f"gate {gate} is open: there is nothing to waive")
        return self.emit(
            EventKind.WAIVED, "", f"gate {gate} waived: {reason.strip()}", {"gate": gate, "reason": reason.strip()}
        )

    # ---- events

    def events(self, after: int = 0) -> tuple[Event, ...]:
        """Journaled events with a number above `after`."""
        return self._journal.events(after)

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `callback` for every event, on whichever thread acts. Returns how to end that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def emit(self, kind: EventKind, step: str, text: str, data: Mapping[str, Json] | None = None) -> Event:
        """Journals one event (progress is not journaled) and tells the listeners."""
        now = self.clock.now()
        if kind is EventKind.PROGRESS:
            event = Event(0, now, kind, step, text, dict(data or {}))
        else:
            event = self._journal.append(now, kind, step, text, data)
        for listener in tuple(self._listeners):
            listener(event)
        return event

    def close(self) -> None:
        """Closes both clusters' connections and the journal; what runs in the clusters goes on."""
        for cluster in self._clusters.values():
            with contextlib.suppress(FerryError):
                cluster.close()
        self._journal.close()

    # ---- inside

    def _step(self, step_id: str) -> Step:
        try:
            return self.plan.step(step_id)
        except KeyError:
            names = ", ".join(step.id for step in self.plan.steps)
            raise Refused(f"there is no step {step_id}; steps are: {names}") from None

    def _guarded(
        self,
        step_id: str,
        work: Callable[[Hand], Iterator[Event]],
        stop: threading.Event | None,
        *,
        at_once: bool = False,
    ) -> Iterator[Event]:
        """Runs `work`, under the right to act unless `at_once`; journals how it ended on the way out."""
        if not self.acting:
            raise Refused("this hbase-ferry is READ-ONLY: start it with --act to change anything")
        turn = contextlib.nullcontext() if at_once else self._journal.acting()
        return self._run(step_id, work, stop or threading.Event(), turn)

    def _run(
        self,
        step_id: str,
        work: Callable[[Hand], Iterator[Event]],
        stop: threading.Event,
        turn: contextlib.AbstractContextManager[None],
    ) -> Iterator[Event]:
        with turn:
            try:
                yield from work((self, self._clusters, self._records, stop))
            except Refused as refusal:
                yield self.emit(EventKind.REFUSED, step_id, str(refusal), {"reasons": list(refusal.reasons)})
                raise
            except StepFailed as failure:
                yield self.emit(EventKind.STEP_FAILED, step_id, str(failure))
                raise
            except FerryError as error:
                yield self.emit(EventKind.STEP_FAILED, step_id, str(error), {"error": type(error).__name__})
                raise
            except (GeneratorExit, KeyboardInterrupt):
                self.emit(EventKind.INTERRUPTED, step_id, "no longer watched; what was started in the clusters goes on")
                raise

    def _confirmation(self, step: Step) -> Confirmation:
        return _confirm(step.risk, step.confirm_name, step.title)

    def _undo_confirmation(self, step: Step, undo: tuple[Action, ...]) -> Confirmation:
        order = list(Risk)
        risk = max((action.risk for action in undo), key=order.index, default=Risk.REVERSIBLE)
        return _confirm(risk, step.confirm_name or step.lane or step.id, f"undo of: {step.title}")


def _confirm(risk: Risk, name: str, title: str) -> Confirmation:
    if risk in (Risk.CUTOVER, Risk.DESTRUCTIVE):
        return Confirmation("type", name, f"type {name} to go on: {title}")
    return Confirmation("none", "", title) if risk is Risk.SAFE else Confirmation("yes", "", f"go on: {title}?")


__all__ = ["Confirmation", "MigrationService", "Preview", "PreviewLine", "RedButton", "StepState"]
