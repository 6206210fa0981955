"""The nouns of a plan: Risk, Action, Effect, Gate, Step, Plan. All are values or pure functions of a View.

Invariant: a step's state is computed from a View alone. Preview, dry run, console, headless run and recovery
read the same `effects`; the service sends the first outstanding one, looks again, and so on until `done`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import Proof, View

HISTORY = "history"
"""What the gates of the peer's enabling begin with that close it until a table's history is on the target."""


class Risk(StrEnum):
    """What an action can cost. Decides the confirmation."""

    SAFE = "safe"
    "reads"
    REVERSIBLE = "reversible"
    "can be undone without loss: a plain yes"
    CUTOVER = "cutover"
    "moves the truth to the other side: the migration's name is typed"
    DESTRUCTIVE = "destructive"
    "cannot be undone: the object's name is typed"


@dataclass(frozen=True)
class Action:
    """One thing sent to one side: wire method and parameters, and what an operator would type instead."""

    side: Side
    method: str
    params: Mapping[str, Json]
    command: str
    "the `hbase shell` line or command line with the same effect"
    touches: str
    "the object that changes and how much of it"
    risk: Risk = Risk.REVERSIBLE
    job: str = ""
    "job id, where the action starts a detached job"
    unknown: tuple[str, ...] = ()
    "what the parameters still lack, as `<placeholder>` in `command`; such an action is never sent"


@dataclass(frozen=True)
class Effect:
    """An action and whether the view shows its effect. None: the view does not say."""

    action: Action
    done: bool | None
    wait: str = ""
    "not done, and not to be sent now: what it waits for (its own job, its rows to arrive), with the number"


class Caller(Protocol):
    """One side, for work: `call` as in `cluster.client.Cluster`."""

    name: str

    def call(self, method: str, params: Mapping[str, Json]) -> Any: ...


@dataclass(frozen=True)
class Work:
    """A piece of a step that this process does itself through the wires: some seconds of reading or copying rows.

    Its end is on disk as the proof that `run` returns; after a crash the step offers the piece that is missing, so
    having it done twice must be the same as once.
    """

    text: str
    run: Callable[[Mapping[Side, Caller]], Proof]
    "raises AgentError, Unreachable, DeadlineExceeded"
    changes: bool = False
    "whether it writes rows: then its intent is on disk before it begins"


@dataclass(frozen=True)
class Gate:
    """A named condition with its number in a sentence. `open` None: unknown, which counts as closed."""

    name: str
    open: bool | None
    text: str
    value: str = ""
    threshold: str = ""
    waivable: bool = False
    warning: bool = False
    "a closed warning is shown and does not block"


@dataclass(frozen=True)
class Progress:
    """How far a running step is. `total` None: not known."""

    done: int
    total: int | None
    unit: str
    "bytes | rows | servers | checks"
    text: str = ""


class StepState(StrEnum):
    """What a step is, in the order of a plan's life."""

    DONE = "done"
    RUNNING = "running"
    "begun: a job runs, or an effect is there and another is not"
    READY = "ready"
    BLOCKED = "blocked"
    LATER = "later"
    "a step before it is not done"
    UNKNOWN = "unknown"
    "the view cannot tell: a side was not observed"


@dataclass(frozen=True)
class Step:
    """Base of every step; the steps of a phase stand in `migration/steps/`."""

    id: str
    title: str
    why: str
    risk: Risk
    lane: str = ""
    "the table of a per-table step; empty: shared by all tables"
    undo_note: str = ""
    "what the undo cannot bring back; shown before it"
    confirm_name: str = ""
    "what has to be typed where the risk asks for typing"

    def effects(self, view: View) -> tuple[Effect, ...]:
        """Every action of this step in order, sent or not. With an unobserved view: with placeholders."""
        return ()

    def gates(self, view: View) -> tuple[Gate, ...]:
        """What must hold before the first action is sent."""
        return ()

    def work(self, view: View) -> Work | None:
        """The next piece this process does itself, once every effect is there. None: nothing is left to do."""
        return None

    def says(self, view: View) -> tuple[str, ...]:
        """What its work will do, for the preview: one sentence a line."""
        return ()

    def waiting_for(self, view: View) -> str | None:
        """After every effect is there: what is still awaited, as a sentence with its number. None: nothing."""
        return None

    def failure(self, view: View) -> str | None:
        """Why waiting is pointless: a job lost or failed, differences found. None: no failure seen."""
        return None

    def progress(self, view: View) -> Progress | None:
        """How far it is, where that can be measured."""
        return None

    def prior(self, view: View) -> Proof | None:
        """What the first action is about to change, to be on disk before it: what is put back later."""
        return None

    def disowned(self, action: Action, refusal: str, at: float) -> Proof | None:
        """What an error answer says about whose the object is: somebody else was first. None: nothing."""
        return None

    def proves(self, view: View) -> Proof | None:
        """What was seen when the last effect was there, for steps whose effect cannot be seen again later."""
        return None

    def lost(self, view: View) -> Proof | None:
        """What this look shows to be gone of what the step had brought about, before a later look can hide it: what
        is there afterwards is another one. None: nothing."""
        return None

    @property
    def adds_peer(self) -> str:
        """Id of the peer it adds; empty: it adds none."""
        return ""

    def retries(self, view: View) -> tuple[str, ...]:
        """Jobs and canaries, by base id, that failed and may be begun again under a new attempt number."""
        return ()

    def undo(self, view: View) -> tuple[Action, ...]:
        """Actions that take this step's effect back; empty: nothing to take back."""
        return ()

    def superseded(self, view: View) -> bool:
        """True once a later step has, on purpose, taken this step's effect away (the clients have switched)."""
        return view.proof("switched", "migration") is not None

    def done(self, view: View) -> bool | None:
        """Whether the view shows the whole intended effect. None: it does not say."""
        if self.superseded(view):
            return True
        states = [effect.done for effect in self.effects(view)]
        if False in states:
            return False
        if None in states:
            return None
        return self.waiting_for(view) is None and self.failure(view) is None

    def begun(self, view: View) -> bool:
        """Whether its first effect is there, or something it started runs: its gates were passed."""
        effects = self.effects(view)
        return bool(effects) and (effects[0].done is True or any(effect.wait for effect in effects))

    def partly_done(self, view: View) -> bool:
        """Whether a piece of its work is on record: shown as running, and its gates are asked before the next one."""
        return False

    def blocked(self, view: View) -> tuple[str, ...]:
        """Sentences of the gates that are closed or unknown and not waived."""
        return tuple(
            gate.text
            for gate in self.gates(view)
            if gate.open is not True and not gate.warning and not (gate.waivable and gate.name in view.waivers)
        )


@dataclass(frozen=True)
class StepStatus:
    """One step as it stands in one view."""

    step: Step
    state: StepState
    blocked: tuple[str, ...] = ()
    waiting: str = ""
    failure: str = ""
    progress: Progress | None = None


@dataclass(frozen=True)
class Plan:
    """The ordered steps of a migration: shared steps and one lane a table between them."""

    steps: tuple[Step, ...]
    tables: tuple[str, ...] = ()
    _index: Mapping[str, Step] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {step.id: step for step in self.steps})

    def step(self, step_id: str) -> Step:
        """The step of that id. Raises KeyError."""
        return self._index[step_id]

    def before(self, step: Step) -> tuple[Step, ...]:
        """The steps that must be done first: all earlier shared ones, and those of the same lane; a shared step
        also waits for every lane before it."""
        earlier = self.steps[: self.steps.index(step)]
        return tuple(s for s in earlier if not step.lane or not s.lane or s.lane == step.lane)

    def status(self, view: View) -> tuple[StepStatus, ...]:
        """Every step's state, in order."""
        done: dict[str, bool | None] = {step.id: step.done(view) for step in self.steps}
        return tuple(self._status(step, view, done) for step in self.steps)

    def next(self, view: View) -> Step | None:
        """The first step that is not known to be done; None: the migration is finished."""
        return next((step for step in self.steps if step.done(view) is not True), None)

    def _status(self, step: Step, view: View, done: Mapping[str, bool | None]) -> StepStatus:
        earlier = [done[before.id] for before in self.before(step)]
        if False in earlier:
            return StepStatus(step, StepState.LATER)
        if done[step.id]:
            return StepStatus(step, StepState.DONE)
        if None in earlier:
            return StepStatus(step, StepState.UNKNOWN if done[step.id] is None else StepState.LATER)
        failure = step.failure(view) or ""
        progress = step.progress(view)
        waiting = _waits(step, view)
        if failure:
            return StepStatus(step, StepState.BLOCKED, (failure,), failure=failure, progress=progress)
        if step.begun(view):
            return StepStatus(step, StepState.RUNNING, waiting=waiting, progress=progress)
        blocked = step.blocked(view)
        if blocked:
            return StepStatus(step, StepState.BLOCKED, blocked)
        if done[step.id] is None:
            return StepStatus(step, StepState.UNKNOWN)
        state = StepState.RUNNING if step.partly_done(view) else StepState.READY
        return StepStatus(step, state, waiting=waiting, progress=progress)


def _waits(step: Step, view: View) -> str:
    """What the step waits for now: its first missing effect's own wait, or, with every effect there, the rest."""
    missing = next((effect for effect in step.effects(view) if effect.done is not True), None)
    return missing.wait if missing is not None else step.waiting_for(view) or ""
