"""How the service sees: both clusters, the jobs on their edge nodes and the journal's records, merged into one View.

Invariant: a newer look replaces an older one part by part, whoever looked (a poller or the acting thread), and a
failed look keeps the last value with its age. Nothing here changes a cluster.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from hbase_ferry.errors import FerryError
from hbase_ferry.insight.preflight import SETTINGS_KEYS
from hbase_ferry.migration.context import Context
from hbase_ferry.migration.records import Records
from hbase_ferry.migration.steps.history import archive_path, data_path
from hbase_ferry.migration.targets import TargetKind
from hbase_ferry.model.clock import Clock
from hbase_ferry.model.cluster import PARTS, ClusterView, Identity, Observed, Side, TableWrites
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import Canary, CanaryRow, JobPhase, JobState, PortCheck, Proof, Stillness, View
from hbase_ferry.model.watch import Watch


class ClusterPort(Protocol):
    """What the service needs of a cluster; `cluster.client.Cluster` is it."""

    name: str

    def look(self, watch: Watch, previous: ClusterView | None = None) -> ClusterView: ...

    def call(self, method: str, params: Mapping[str, Json]) -> object: ...

    def pin(self, cluster_id: str) -> None: ...

    def close(self) -> None: ...


class Sight:
    """Looks at both sides and keeps the newest View. Thread-safe."""

    def __init__(
        self,
        ctx: Context,
        clusters: Mapping[Side, ClusterPort],
        records: Records,
        clock: Clock,
        kind: TargetKind,
        *,
        side_by_side: bool = True,
    ) -> None:
        """`side_by_side` False looks at one side after the other, as a simulated clock needs it."""
        self._ctx, self._clusters, self._records, self._clock = ctx, clusters, records, clock
        self._kind = kind
        self._side_by_side = side_by_side
        self._lock = threading.RLock()
        self._jobs: dict[str, JobState] = {}
        self._arrived: dict[str, tuple[CanaryRow, ...]] = {}
        self._stillness: dict[str, Stillness] = {}
        self._ports: Observed[tuple[PortCheck, ...]] = Observed()
        self._asked = 0
        self._told: dict[str, int] = {}
        parts = {Side.SOURCE: kind.source_parts, Side.TARGET: kind.parts}
        self._sides = {side: ClusterView(side, c.name, parts=parts[side]) for side, c in clusters.items()}
        self.history: deque[ClusterView] = deque(maxlen=60)

    @property
    def view(self) -> View:
        """The newest view. No I/O."""
        with self._lock:
            self._records.refresh()
            return View(
                self._clock.now(),
                self._sides[Side.SOURCE],
                self._sides[Side.TARGET],
                dict(self._jobs),
                self._records.facts(),
                dict(self._records.waivers),
                self._canaries(),
                dict(self._stillness),
                self._ports,
                frozenset(self._records.started),
            )

    def watch(self, side: Side) -> Watch:
        """What a look at this side asks for beyond the listings."""
        view = self.view
        tables = self._ctx.settings.tables
        names = tuple(self._ctx.snapshot(view, table.name) for table in tables)
        identity = view.side(side).identity.value
        root = self._ctx.settings.side(side).rootdir or (identity.rootdir if identity else "")
        below = archive_path if side is Side.TARGET else data_path
        paths = tuple(below(root, t.name) for t in tables) if root else ()
        watch = Watch(tables=tuple(t.name for t in tables), snapshots=names, paths=paths, settings=SETTINGS_KEYS)
        return self._kind.watch(watch, side, self._ctx.settings)

    def observe(self) -> View:
        """A fresh look at both sides, their jobs and the canaries."""
        if self._side_by_side:
            with ThreadPoolExecutor(2, thread_name_prefix="look") as pool:
                list(pool.map(self._look, Side))
        else:
            for side in Side:
                self._look(side)
        return self.view

    def survey(self) -> View:
        """`observe`, and the ports of the target tried from the source's edge node."""
        self.observe()
        targets = port_targets(self.view.target.identity.current)
        try:
            answer = self._clusters[Side.SOURCE].call("ports.check", {"targets": targets, "timeout_ms": 3000})
            self._ports = Observed(tuple(getattr(answer, "items", ())), self._clock.now())
        except FerryError as error:
            self._ports = replace(self._ports, error=str(error))
        return self.view

    def accept(self, seen: ClusterView) -> View:
        """Merges a finished look of a poller, and looks at that side's jobs and canaries on the poller's thread."""
        self._merge(seen)
        self._look_beside(seen.side)
        return self.view

    def _look(self, side: Side) -> None:
        self._merge(self._clusters[side].look(self.watch(side), self._sides[side]))
        self._look_beside(side)

    def _merge(self, seen: ClusterView) -> None:
        with self._lock:
            known = self._sides[seen.side]
            parts: dict[str, Any] = {part: newer(getattr(known, part), getattr(seen, part)) for part in PARTS}
            self._sides[seen.side] = replace(known, **parts)
            if seen.side is Side.SOURCE:
                self.history.append(self._sides[seen.side])
                self._note_stillness(self._sides[seen.side].writes)

    def _note_stillness(self, writes: Observed[tuple[TableWrites, ...]]) -> None:
        if writes.current is None or writes.at is None:
            return
        for table in writes.current:
            before = self._stillness.get(table.table)
            if before is not None and before.writes == table.total:
                self._stillness[table.table] = replace(before, until=max(before.until, writes.at))
            else:  # since the end of the look that showed it, until the beginning of a later one
                now = self._clock.now()
                self._stillness[table.table] = Stillness(table.total, now, now)

    def _look_beside(self, side: Side) -> None:
        """Jobs of this run on one side; on the target also the canary rows under way. A cluster that does not even
        say who it is is not asked for rows: each look would wait for that call's whole deadline."""
        with self._lock:
            self._records.refresh()
            self._asked += 1
            ticket = self._asked
            runs_jobs = side is Side.SOURCE or self._kind.jobs
            any_job, awaited = bool(self._records.started) and runs_jobs, self._awaited() if side is Side.TARGET else []
            recorded = {name for name in self._records.answered if self._records.started.get(name) == side.value}
        try:
            if any_job:
                answer = self._clusters[side].call("job.list", {"prefix": f"{self._ctx.run_id}-"})
                found = {job.id: replace(job, side=side) for job in getattr(answer, "items", ())}
                whole = getattr(answer, "total", 0) <= len(found)
                with self._lock:
                    if self._newest(f"jobs of {side}", ticket):
                        self._jobs.update(found)
                        self._without_record(recorded - found.keys() if whole else set(), side)
            for canary in awaited if self._sides[side].identity.error is None else ():
                rows: list[Json] = [row.row_hex for row in canary.rows]
                seen = self._clusters[side].call("canary.read", {"table": canary.table, "rows": rows})
                with self._lock:
                    if self._newest(canary.id, ticket):
                        self._arrived[canary.id] = tuple(getattr(seen, "items", ()))
        except FerryError:
            return

    def _without_record(self, names: Collection[str], side: Side) -> None:
        """Jobs that were started before this look, and of which the edge node has no record any more: another edge
        node, or a folder that was cleaned. What is known to have ended stays so."""
        for name in names:
            known = self._jobs.get(name)
            if known is None or known.alive:
                gone = f"{self._clusters[side].name} has no record of {name}"
                self._jobs[name] = JobState(name, side, JobPhase.LOST, tail=(gone,))

    def _newest(self, what: str, ticket: int) -> bool:
        """Whether no later question about `what` was answered before: two threads look, and one may be slow."""
        if ticket < self._told.get(what, 0):
            return False
        self._told[what] = ticket
        return True

    def _awaited(self) -> list[Canary]:
        """Canaries whose end was not proved yet: the newest of each table."""
        newest = {canary.table: canary for canary in self._records.canaries.values()}
        return [c for c in newest.values() if not self._ended(c)]

    def _ended(self, canary: Canary) -> bool:
        proofs = (p for p in self._records.proofs if p.kind in ("caught-up", "drained"))
        return any(proof.at >= canary.sent_at for proof in proofs)

    def _canaries(self) -> dict[str, Canary]:
        shown = {}
        for name, canary in self._records.canaries.items():
            present = {row.row_hex for row in self._arrived.get(name, ()) if row.present}
            unseen = canary.deleted and name not in self._arrived
            rows = tuple(replace(row, present=unseen or row.row_hex in present) for row in canary.rows)
            shown[name] = replace(canary, rows=rows)
        return shown

    def record(self, proof: Proof) -> dict[str, Json]:
        """A proof as the data of its journal event."""
        return {"kind": proof.kind, "subject": proof.subject, "basis": dict(proof.basis)}


def newer(known: Observed[object], seen: Observed[object]) -> Observed[object]:
    """Of two looks at one part the later; a failed look keeps the last value and says why."""
    if seen.error is None:
        return seen if known.at is None or (seen.at or 0) >= known.at else known
    if known.at is not None and (seen.at or 0) < known.at:
        return replace(known, error=seen.error)
    return seen


def port_targets(identity: Identity | None) -> list[Json]:
    """Every address of the target that the source needs: ZooKeeper, masters, region servers, NameNode."""
    if identity is None:
        return []
    hosts, port, *_ = (*identity.cluster_key.rsplit(":", 2), "")
    targets: list[Json] = [
        {"host": quorum.split(":", 1)[0], "port": int(quorum.partition(":")[2] or port or 2181), "what": "ZooKeeper"}
        for quorum in hosts.split(",")
        if quorum
    ]
    for what, servers in (("master", (identity.master,)), ("region server", identity.servers)):
        for server in servers:
            host, number, *_ = (*server.split(","), "")
            if host and number.isdigit():
                targets.append({"host": host, "port": int(number), "what": what})
    root = urlsplit(identity.rootdir)
    if root.scheme == "hdfs" and root.hostname and root.port:
        targets.append({"host": root.hostname, "port": root.port, "what": "NameNode"})
    return targets
