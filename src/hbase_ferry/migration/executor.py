"""Carries out one step: intent on disk, action sent, cluster looked at, until the view shows the whole effect.

Invariant: an action is sent at most once an execution; after an answer that was lost the cluster is looked at and
nothing is sent again (but for REPEATABLE). Whatever an answer says, the view decides.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from hbase_ferry.errors import AgentError, BadAnswer, Refused, StepFailed, Unreachable
from hbase_ferry.migration.context import standing
from hbase_ferry.migration.core import Effect, Step, Work
from hbase_ferry.migration.sending import SETTLE_SECONDS, Sender, key_of
from hbase_ferry.migration.steps.checks import Preflight
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind, Json
from hbase_ferry.model.view import Proof, View

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


class Executor(Sender):
    """One execution of one step."""

    _looked = 0.0
    "when a piece of work was last followed by a look"

    def execute(self, step: Step, confirmation: str, expected: str) -> Iterator[Event]:
        """Guards, then the loop of send and look."""
        view = self._contact(step)
        yield from self._answerless(view)
        self._service.pins.pin(view)
        self._service.pins.refuse_other_tables()
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
        if bases and (blocked := step.blocked(view)):
            raise Refused(*blocked)
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
            self._service.pins.pin_tables()
            begun = self._emit(EventKind.INTENT, step, piece.text, {"method": "work", "params": {}})
            intent = {"intent": begun.number}
            yield begun
        for wait in (*WORK_WAITS, None):
            try:
                proof = piece.run(self._clusters)
                break
            except (AgentError, BadAnswer) as error:
                if intent:
                    yield self._emit(EventKind.FAILED, step, str(error), intent)
                raise
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
        sent = self._sent.get(key_of(effect.action))
        if sent is None:
            return ""
        waited = self._clock.now() - sent
        if waited > REPEAT_SECONDS and key_of(effect.action) in self._lost and effect.action.method in REPEATABLE:
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
