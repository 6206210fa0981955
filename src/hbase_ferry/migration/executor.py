"""Carries out one step: intent on disk, action sent, cluster looked at, until the view shows the whole effect.

Invariant: an action is sent at most once an execution; after an answer that was lost the cluster is looked at and
nothing is sent again (but for REPEATABLE). Whatever an answer says, the view decides.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING

from hbase_ferry.errors import AgentError, BadAnswer, FerryError, Refused, StepFailed, Unreachable
from hbase_ferry.migration.context import standing
from hbase_ferry.migration.core import Action, Effect, Step, Work
from hbase_ferry.migration.records import Records
from hbase_ferry.migration.sight import ClusterPort
from hbase_ferry.migration.steps.prepare import Preflight
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind, Json
from hbase_ferry.model.view import Proof, View

if TYPE_CHECKING:
    from hbase_ferry.migration.service import Confirmation, MigrationService

CONTACT_TRIES = 4
"""How many looks a step waits for a side that is not seen."""
CONTACT_SECONDS = 8.0
"""After which, and two looks, a side that was seen before counts as hanging: a dead agent is back sooner."""

REPEATABLE = ("canary.delete",)
"""Methods that are sent again, REPEAT_SECONDS later, when their answer was lost: no look at a cluster shows their
effect, and having it twice is having it once."""
REPEAT_SECONDS = 5.0
WORK_WAITS = (1.0, 2.0, 5.0, 10.0)
"""Seconds between the tries of a piece of work whose side does not answer."""
SETTLE_SECONDS = 60.0
"""How long an action's effect may take to show after its answer: heartbeats, region reopening, listing caches."""


class Executor:
    """One execution of one step or undo."""

    def __init__(
        self, service: MigrationService, clusters: Mapping[Side, ClusterPort], records: Records, stop: threading.Event
    ) -> None:
        self._service, self._clusters, self._records, self._stop = service, clusters, records, stop
        self._clock = service.clock
        self._sent: dict[str, float] = {}
        self._lost: set[str] = set()
        self._looked = 0.0

    # ---- a step

    def execute(self, step: Step, confirmation: str, expected: str) -> Iterator[Event]:
        """Guards, then the loop of send and look."""
        view = self._contact(step)
        yield from self._answerless(view)
        self._service.pin_clusters(view)
        if step.done(view):
            yield self._emit(EventKind.STEP_DONE, step, f"{step.title}: the clusters already show it")
            return
        self._in_order(step, view)
        view = yield from self._begin_again(step, view)
        self._allowed(step, view, confirmation, expected)
        yield self._emit(EventKind.STEP_STARTED, step, step.title)
        yield from self._prior(step, view)
        yield from self._until_done(step, view)

    def _contact(self, step: Step) -> View:
        """A fresh look; a few of them while a side is not seen, since an agent takes seconds to start, and to start
        again after it died."""
        look = self._service.survey if isinstance(step, Preflight) else self._service.observe
        begun, view = self._clock.now(), look()
        for tried in range(CONTACT_TRIES - 1):
            known = all(view.side(side).identity.value for side in Side)
            hangs = known and tried and self._clock.now() - begun > CONTACT_SECONDS
            if self._stop.is_set() or hangs or all(view.side(side).identity.current for side in Side):
                break
            self._clock.sleep(1.0)
            view = look()
        return view

    def _in_order(self, step: Step, view: View) -> None:
        for earlier in self._service.plan.before(step):
            if earlier.done(view) is not True:
                reason = earlier.failure(view) or earlier.waiting_for(view) or "not done"
                raise Refused(f"step {earlier.id} comes before {step.id}: {reason}")

    def _allowed(self, step: Step, view: View, confirmation: str, expected: str) -> None:
        if not step.begun(view):
            blocked = step.blocked(view)
            if blocked:
                raise Refused(*blocked)
        if expected and confirmation != expected:
            raise Refused(f"step {step.id} has to be confirmed by typing {expected}")

    def _begin_again(self, step: Step, view: View) -> Generator[Event, None, View]:
        """A new attempt for what failed before; returns the view to go on with."""
        bases = step.retries(view)
        lost = [g.text for g in step.gates(view) if g.name.startswith("lost.") and g.name not in view.waivers]
        if bases and lost:
            raise Refused(*lost)
        for base in bases:
            yield self._proof(step, Proof("retry", base, self._clock.now(), {}, f"a new attempt of {base}"))
        if bases:
            view = self._service.observe()
        failure = step.failure(view)
        if failure:
            raise Refused(failure)
        return view

    def _prior(self, step: Step, view: View) -> Iterator[Event]:
        """Puts on disk what the step is about to change, once."""
        proof = step.prior(view)
        known = standing(view, proof.kind, proof.subject, step.id) if proof else None
        if proof is not None and (known is None or known.basis.get("generation") != proof.basis.get("generation")):
            yield self._proof(step, proof)

    def _until_done(self, step: Step, view: View) -> Iterator[Event]:
        last = ""
        blind_since: float | None = None
        while True:
            effect = next((e for e in step.effects(view) if e.done is not True), None)
            failure = step.failure(view)
            if failure:
                raise StepFailed(f"{step.id}: {failure}")
            if effect is None and (piece := step.work(view)) is not None:
                view = yield from self._work(step, piece)
                continue
            if effect is None:
                waiting = self._finish_wait(step, view)
                if waiting is None:
                    yield from self._finish(step, view)
                    return
            else:
                waiting = effect.wait or self._unsettled(step, effect)
                if not waiting and effect.done is not None:
                    yield from self._send(step, effect.action)
                    view = self._service.observe()
                    continue
            blind_since = self._blind(step, effect, blind_since)
            text = waiting or f"waiting to see {effect.action.touches if effect else step.title}"
            if (line := self._progress_line(step, view, text)) != last:
                last = line
                yield self._progress(step, view, line)
            view = self._pause(step)

    def _work(self, step: Step, piece: Work) -> Generator[Event, None, View]:
        """One piece of work; what it proves is on disk before the next. A side that does not answer is waited for."""
        if self._stop.is_set():
            raise Refused(f"stopped by the operator; step {step.id} goes on from here at any time")
        intent: dict[str, Json] = {}
        if piece.changes:
            begun = self._emit(EventKind.INTENT, step, piece.text, {"method": "work", "params": {}})
            intent = {"intent": begun.number}
            yield begun
        for wait in (*WORK_WAITS, None):
            try:
                proof = piece.run(self._clusters)
                break
            except Unreachable as error:
                yield self._progress(step, self._service.view, f"{piece.text}: {error}")
                if wait is None or self._stop.is_set():
                    raise
                self._clock.sleep(wait)
        if intent:
            yield self._emit(EventKind.SENT, step, f"{piece.text}: done", intent)
        yield self._proof(step, proof)
        now = self._clock.now()
        if now - self._looked > self._service.settings.poll_seconds:
            self._looked = now
            yield self._progress(step, self._service.view, piece.text)
            return self._service.observe()
        return self._service.view

    def _finish_wait(self, step: Step, view: View) -> str | None:
        """What is still awaited; None: the step can be finished."""
        proof = step.proves(view)
        return None if proof is not None else step.waiting_for(view)

    def _finish(self, step: Step, view: View) -> Iterator[Event]:
        proof = step.proves(view)
        if proof is not None:
            yield self._proof(step, proof)
            view = self._service.view
        if step.done(view) is not True:
            raise StepFailed(
                f"{step.id}: {step.failure(view) or step.waiting_for(view) or 'the effect went away again'}"
            )
        yield self._emit(EventKind.STEP_DONE, step, f"{step.title}: done")

    def _unsettled(self, step: Step, effect: Effect) -> str:
        """Sent in this execution and not visible yet: a sentence, or StepFailed once that took too long."""
        sent = self._sent.get(_key(effect.action))
        if sent is None:
            return ""
        waited = self._clock.now() - sent
        if waited > REPEAT_SECONDS and _key(effect.action) in self._lost and effect.action.method in REPEATABLE:
            return ""
        if waited > SETTLE_SECONDS and effect.done is not None:
            raise StepFailed(
                f"{step.id}: {effect.action.command} was sent {waited:.0f} s ago and "
                f"{self._name(effect.action.side)} does not show its effect: {effect.action.touches}"
            )
        return f"sent {waited:.0f} s ago, not visible yet: {effect.action.touches}"

    def _blind(self, step: Step, effect: Effect | None, since: float | None) -> float | None:
        """Since when the needed side was not seen. Raises Unreachable after SETTLE_SECONDS."""
        if effect is None or effect.done is not None:
            return None
        now = self._clock.now()
        if since is not None and now - since > SETTLE_SECONDS:
            side = self._service.view.side(effect.action.side)
            why = next((e for e in (side.identity.error, side.tables.error, side.peers.error) if e), "no answer")
            raise Unreachable(
                f"{step.id}: {side.name} could not be observed for {now - since:.0f} s ({why}); nothing more was sent"
            )
        return since or now

    def _pause(self, step: Step) -> View:
        if self._stop.is_set():
            raise Refused(f"stopped by the operator while waiting; step {step.id} can be taken up again at any time")
        self._clock.sleep(self._service.settings.poll_seconds)
        return self._service.observe()

    # ---- undo and red button

    def undo(
        self, step: Step, confirmation: str, confirm: Callable[[Step, tuple[Action, ...]], Confirmation]
    ) -> Iterator[Event]:
        """Sends the actions that take a step back, as long as no later step stands on it."""
        view = self._service.observe()
        yield from self._answerless(view)
        actions = step.undo(view)
        if not actions:
            raise Refused(f"step {step.id} has nothing to undo")
        self._service.pin_clusters(view, {action.side for action in actions})
        later = self._standing_on(step, view)
        if later:
            raise Refused(f"undo {later} first: it stands on {step.id}")
        expected = confirm(step, actions).expected
        if expected and confirmation != expected:
            raise Refused(f"the undo of {step.id} has to be confirmed by typing {expected}")
        yield self._emit(EventKind.STEP_STARTED, step, f"undo: {step.title}")
        for action in actions:
            yield from self._send(step, action, undo=True)
        view = self._service.observe()
        waits = 0.0
        while step.undo(view) and waits < SETTLE_SECONDS:
            waits += self._service.settings.poll_seconds
            view = self._pause(step)
        if step.undo(view):
            raise StepFailed(f"undo of {step.id} was sent, and the clusters still show the step's effect")
        undone = Proof("undone", step.id, self._clock.now(), {}, f"{step.id} was taken back")
        yield self._proof(step, undone)
        yield self._emit(EventKind.STEP_DONE, step, f"undone: {step.title}")

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
        self._service.pin_clusters(view, (action.side,))
        if gone(view):
            raise Refused(f"{self._name(action.side)} has no {action.touches}: nothing to do")
        started = self._service.emit(EventKind.STEP_STARTED, "red-button", f"red button: {action.command}")
        yield started
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

    # ---- sending

    def _send(self, step: Step | None, action: Action, *, undo: bool = False) -> Iterator[Event]:
        """Intent, call, answer. An answer that did not come is no failure yet: the cluster is looked at."""
        name = step.id if step else "red-button"
        if action.unknown:
            raise Refused(f"{name}: {action.command} still lacks {', '.join(action.unknown)}")
        where = self._name(action.side)
        intent = self._service.emit(
            EventKind.INTENT,
            name,
            f"{where}: {action.command}",
            {"side": action.side.value, "method": action.method, "params": dict(action.params), "undo": undo},
        )
        yield intent
        self._sent[_key(action)] = self._clock.now()
        data: dict[str, Json] = {"intent": intent.number, "method": action.method, "params": dict(action.params)}
        try:
            answer = self._clusters[action.side].call(action.method, action.params)
        except (Unreachable, BadAnswer) as error:
            self._lost.add(_key(action))
            yield self._service.emit(EventKind.FAILED, name, f"no usable answer, looking at {where}: {error}", data)
        except AgentError as error:
            yield self._service.emit(EventKind.FAILED, name, str(error), {**data, "class": error.kind})
            others = step.disowned(action, error.text, self._clock.now()) if step else None
            if step and others:
                yield self._proof(step, others)
            if others or not self._shows(step, action):
                raise StepFailed(f"{name}: {where} refused {action.command}: {error}") from error
        except FerryError as error:
            yield self._service.emit(EventKind.FAILED, name, str(error), data)
            raise
        else:
            yield self._service.emit(
                EventKind.SENT, name, f"{where}: {action.command}: answered", {**data, "answer": _json(answer)}
            )

    def _shows(self, step: Step | None, action: Action) -> bool:
        """Whether the cluster shows the effect although it answered with an error (somebody else did it)."""
        if step is None:
            return False
        view = self._service.observe()
        return any(e.done is True for e in step.effects(view) if _key(e.action) == _key(action))

    def _answerless(self, view: View) -> Iterator[Event]:
        """Says what a crash left: intents whose answer never came. The view decides what became of them."""
        for number, intent in sorted(self._records.unanswered.copy().items()):
            yield self._service.emit(
                EventKind.OBSERVED,
                intent.step,
                f"intent {number} ({intent.text}) has no answer: the clusters were looked at, and decide",
                {"intent": number},
            )

    # ---- talk

    def _emit(self, kind: EventKind, step: Step, text: str, data: Mapping[str, Json] | None = None) -> Event:
        return self._service.emit(kind, step.id, text, data)

    def _proof(self, step: Step, proof: Proof) -> Event:
        return self._emit(EventKind.PROOF, step, proof.note or proof.kind, self._service.sight.record(proof))

    def _progress_line(self, step: Step, view: View, waiting: str) -> str:
        progress = step.progress(view)
        return f"{waiting} ({progress.text})" if progress is not None and progress.text else waiting

    def _progress(self, step: Step, view: View, line: str) -> Event:
        progress = step.progress(view)
        data: dict[str, Json] = {}
        if progress is not None:
            data = {"done": progress.done, "total": progress.total, "unit": progress.unit}
        return self._emit(EventKind.PROGRESS, step, line, data)

    def _name(self, side: Side) -> str:
        return self._service.settings.side(side).name


def _key(action: Action) -> str:
    """What makes two actions one: a job's command line may hold the time, its id does not."""
    return f"{action.side.value} {action.job or action.command}"


def _json(answer: object) -> Json:
    """A typed answer as JSON for the journal."""
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return {f.name: _json(getattr(answer, f.name)) for f in dataclasses.fields(answer)}
    if isinstance(answer, Mapping):
        return {str(key): _json(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [_json(item) for item in answer]
    return answer if isinstance(answer, str | int | float | bool) or answer is None else str(answer)
