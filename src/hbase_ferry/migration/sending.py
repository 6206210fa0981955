"""Sending one action: its intent on disk first, then the call, then the answer; and waiting for a look to show it.

Invariant: an answer that was lost is no failure and no success: whoever sent looks at the cluster. Base of `executor`
and `undoing`.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hbase_ferry.errors import AgentError, BadAnswer, FerryError, Refused, StepFailed, Unreachable
from hbase_ferry.migration.core import Action, Step
from hbase_ferry.migration.records import Records
from hbase_ferry.migration.sight import ClusterPort
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind, Json
from hbase_ferry.model.view import Proof, View

if TYPE_CHECKING:
    from hbase_ferry.migration.service import MigrationService

SETTLE_SECONDS = 60.0
"""How long an action's effect may take to show after its answer: heartbeats, region reopening, listing caches."""


class Sender:
    """What one execution sends, remembers of it and says."""

    def __init__(
        self, service: MigrationService, clusters: Mapping[Side, ClusterPort], records: Records, stop: threading.Event
    ) -> None:
        self._service, self._clusters, self._records, self._stop = service, clusters, records, stop
        self._clock = service.clock
        self._sent: dict[str, float] = {}
        self._lost: set[str] = set()

    def _pause(self, step: Step) -> View:
        if self._stop.is_set():
            raise Refused(f"stopped by the operator while waiting; step {step.id} can be taken up again at any time")
        self._clock.sleep(self._service.settings.poll_seconds)
        return self._service.observe()

    def _send(self, step: Step | None, action: Action, *, undo: bool = False) -> Iterator[Event]:
        """Intent, call, answer. An answer that did not come is no failure yet: the cluster is looked at."""
        name = step.id if step else "red-button"
        if action.unknown:
            raise Refused(f"{name}: {action.command} still lacks {', '.join(action.unknown)}")
        where = self._name(action.side)
        if step is not None:
            self._service.pins.pin_tables()
        intent = self._service.emit(
            EventKind.INTENT,
            name,
            f"{where}: {action.command}",
            {"side": action.side.value, "method": action.method, "params": dict(action.params), "undo": undo},
        )
        yield intent
        self._sent[key_of(action)] = self._clock.now()
        data: dict[str, Json] = {"intent": intent.number, "method": action.method, "params": dict(action.params)}
        try:
            answer = self._clusters[action.side].call(action.method, action.params)
        except (Unreachable, BadAnswer) as error:
            self._lost.add(key_of(action))
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
        return any(e.done is True for e in step.effects(view) if key_of(e.action) == key_of(action))

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


def key_of(action: Action) -> str:
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
