"""Both sides at one moment, with the jobs and proofs that belong to this migration: what every decision reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hbase_ferry.model.cluster import ClusterView, Observed, Side


class JobPhase(StrEnum):
    """Where a detached job stands on its edge node."""

    NONE = "none"
    NEW = "new"
    "claimed, not started yet"
    RUNNING = "running"
    DONE = "done"
    "ended; `exit_code` tells how"
    LOST = "lost"
    "its process is gone and left no exit code: never assumed to have worked"


@dataclass(frozen=True)
class JobState:
    """A detached job as the edge node shows it. `counters` and `status_line` are read from its own output."""

    id: str
    side: Side
    phase: JobPhase
    exit_code: int | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    output_bytes: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    "MapReduce counters, by counter name without group"
    application_id: str = ""
    "YARN application, where there is one"
    tail: tuple[str, ...] = ()
    "the last lines of output, made safe"
    left: int = 0
    "of a lost job: its processes that still run on the edge node"

    @property
    def alive(self) -> bool:
        """Whether it may still have an effect, as far as its edge node can tell."""
        return self.phase in (JobPhase.NEW, JobPhase.RUNNING) or self.left > 0

    @property
    def succeeded(self) -> bool:
        return self.phase is JobPhase.DONE and self.exit_code == 0


@dataclass(frozen=True)
class Proof:
    """Something that was observed once and cannot be seen again, such as a canary row that arrived.

    `basis` holds the facts under which it was taken; a step that relies on it compares them with the present.
    """

    kind: str
    "caught-up | drained | preflight | switched …"
    subject: str
    "the table or peer it speaks of"
    at: float
    basis: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class CanaryRow:
    """One canary row: which region server's queue it went through, and whether it is there."""

    row_hex: str
    region: str
    server: str
    present: bool


@dataclass(frozen=True)
class Canary:
    """The canary rows of one id: written on the source, awaited on the target, deleted through the same queues."""

    id: str
    table: str
    sent_at: float
    rows: tuple[CanaryRow, ...]
    "as written; `present` speaks of the target"
    deleted: bool = False
    "the delete was sent to the source"
    removing: bool = False
    "its own step saw it arrive and went on to delete it; with or without an answer"
    withdrawn: bool = False
    "deleted by an undo or by another step, or written before the peer's shipping was undone: it proves nothing now"


@dataclass(frozen=True)
class Stillness:
    """Since when a table's write counters have shown the same sum."""

    writes: int
    since: float
    until: float
    "the newest look that showed it"

    @property
    def seconds(self) -> float:
        return self.until - self.since


@dataclass(frozen=True)
class PortCheck:
    """One TCP connection tried from the source's edge node towards the target."""

    host: str
    port: int
    what: str
    open: bool
    error: str = ""


@dataclass(frozen=True)
class View:
    """Immutable picture of both sides. Whatever decides, decides from one of these."""

    at: float
    source: ClusterView
    target: ClusterView
    jobs: Mapping[str, JobState] = field(default_factory=dict)
    proofs: tuple[Proof, ...] = ()
    waivers: Mapping[str, str] = field(default_factory=dict)
    "gate name -> the reason an operator gave"
    canaries: Mapping[str, Canary] = field(default_factory=dict)
    stillness: Mapping[str, Stillness] = field(default_factory=dict)
    "by table, of the source"
    ports: Observed[tuple[PortCheck, ...]] = Observed()
    started: frozenset[str] = frozenset()
    "ids of the jobs that were ever to be started, whether their edge node shows them or not"

    def side(self, side: Side) -> ClusterView:
        return self.source if side is Side.SOURCE else self.target

    def proof(self, kind: str, subject: str) -> Proof | None:
        """The newest proof of that kind, in the journal's order: clocks step back."""
        return next((p for p in reversed(self.proofs) if p.kind == kind and p.subject == subject), None)

    def job(self, job_id: str) -> JobState | None:
        return self.jobs.get(job_id)
