"""What the journal remembers of things that cannot be observed twice: proofs, waivers, canary rows, started jobs.

Invariant: derived from journaled events alone, so that a second process and a restarted one see the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hbase_ferry.migration.journal import Journal
from hbase_ferry.model.event import Event, EventKind
from hbase_ferry.model.view import Canary, CanaryRow, Proof

UNDO = "intent"
"""In the basis of an `undone` that stands for an undo's intent: the number of that event."""
CURSOR = "cursor."
"""What the kind of a proof begins with that says how far some work is."""

_KINDS = (
    EventKind.PROOF,
    EventKind.WAIVED,
    EventKind.INTENT,
    EventKind.SENT,
    EventKind.FAILED,
    EventKind.OBSERVED,
)


@dataclass
class Records:
    """The journal's facts, kept up to date by `refresh`."""

    journal: Journal
    proofs: list[Proof] = field(default_factory=list)
    waivers: dict[str, str] = field(default_factory=dict)
    canaries: dict[str, Canary] = field(default_factory=dict)
    started: dict[str, str] = field(default_factory=dict)
    "ids of the jobs that were ever to be started, and the side of each"
    answered: set[str] = field(default_factory=set)
    "of those the ones whose start was answered: their edge node has a record of them"
    unanswered: dict[int, Event] = field(default_factory=dict)
    "intents without an answer, by number: what a crash left"
    undoing: set[str] = field(default_factory=set)
    "ids of the steps that this process is just taking back: their effect counts until the clusters show it gone"
    _seen: int = 0

    def refresh(self) -> None:
        """Reads the events that are new."""
        for event in self.journal.events(self._seen, _KINDS):
            self._seen = event.number
            self._take(event)

    def _take(self, event: Event) -> None:
        data = event.data
        if event.kind is EventKind.PROOF:
            basis = data.get("basis")
            pairs = {k: str(v) for k, v in basis.items()} if isinstance(basis, dict) else {}
            self._prove(Proof(str(data["kind"]), str(data["subject"]), event.at, pairs, event.text))
            if (data["kind"], data["subject"]) == ("undone", "enable-peer"):
                self.canaries = {name: replace(c, withdrawn=True) for name, c in self.canaries.items()}
        elif event.kind is EventKind.WAIVED:
            self.waivers[str(data["gate"])] = str(data["reason"])
        elif event.kind is EventKind.INTENT:
            self._intended(event)
        else:
            self.unanswered.pop(_number(data.get("intent")), None)
            if event.kind is EventKind.SENT:
                self._sent(event)
            elif event.kind is EventKind.FAILED and "class" in data:  # refused: nothing was taken back
                self.proofs = [p for p in self.proofs if p.basis.get(UNDO) != str(data.get("intent"))]

    def _intended(self, event: Event) -> None:
        data, params = event.data, event.data.get("params")
        self.unanswered[event.number] = event
        if data.get("method") == "job.start" and isinstance(params, dict):
            self.started[str(params.get("id"))] = str(data.get("side"))
        if data.get("method") == "canary.delete":
            self._removing(event)
        if data.get("undo"):
            basis = {UNDO: str(event.number)}
            self.proofs.append(Proof("undone", event.step, event.at, basis, f"{event.step} was being taken back"))

    def facts(self) -> tuple[Proof, ...]:
        """Every proof. A step whose undo was begun counts as taken back, whether its end is on record or not: what is
        there afterwards may be somebody else's."""
        return tuple(p for p in self.proofs if not (UNDO in p.basis and p.subject in self.undoing))

    def _prove(self, proof: Proof) -> None:
        """Keeps it; of a `cursor.*`, how far some work is, only the newest."""
        if proof.kind.startswith(CURSOR):
            same = (p for p in self.proofs if (p.kind, p.subject) == (proof.kind, proof.subject))
            if (older := next(same, None)) is not None:
                self.proofs.remove(older)
        self.proofs.append(proof)

    def _sent(self, event: Event) -> None:
        params, answer = event.data.get("params"), event.data.get("answer")
        if not isinstance(params, dict):
            return
        if event.data.get("method") == "job.start":
            self.answered.add(str(params.get("id")))
        if event.data.get("method") == "canary.write" and isinstance(answer, dict):
            rows = tuple(_row(item) for item in _list(answer.get("items")) if isinstance(item, dict))
            name = str(params["id"])
            self.canaries[name] = Canary(name, str(params["table"]), event.at, rows)
        if event.data.get("method") == "canary.delete":
            for canary in self._named(params):
                self.canaries[canary.id] = replace(canary, sent_at=event.at, deleted=True)

    def _removing(self, event: Event) -> None:
        """A step deletes its own canary after it arrived; whatever else it or an undo takes along proves nothing."""
        params = event.data.get("params")
        for canary in self._named(params) if isinstance(params, dict) else ():
            own = f"-canary-{event.step}-" in canary.id and not event.data.get("undo")
            self.canaries[canary.id] = replace(
                canary, removing=canary.removing or own, withdrawn=canary.withdrawn or not own
            )

    def _named(self, params: Mapping[str, object]) -> list[Canary]:
        """The canaries whose rows a delete names, all of them."""
        gone = set(map(str, _list(params.get("rows"))))
        known = (c for c in self.canaries.values() if c.table == params.get("table"))
        return [canary for canary in known if all(row.row_hex in gone for row in canary.rows)]


def _row(item: Mapping[str, object]) -> CanaryRow:
    return CanaryRow(str(item["row_hex"]), str(item["region"]), str(item["server"]), False)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
