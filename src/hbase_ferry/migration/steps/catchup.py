"""Phase 3: the peer replays what it held back, and canary rows prove that it did.

HBase's own "lag 0" proves nothing: a disabled, stuck or sleeping peer shows it too (facts in docs/architecture.md).
A row written to every region server that serves the table, seen on the target, does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hbase_ferry.insight.format import duration
from hbase_ferry.migration import commands
from hbase_ferry.migration.context import added_by_us, attempt, of_its_shipping, restored
from hbase_ferry.migration.core import HISTORY, Action, Effect, Gate, Progress, Risk
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.model.cluster import ReplicationQueue, Side
from hbase_ferry.model.view import Canary, Proof, View


@dataclass(frozen=True, kw_only=True)
class EnablePeer(FerryStep):
    """Lets the peer ship."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        peer = view.source.peer(self.ctx.peer_id)
        action = self.act(
            Side.SOURCE,
            "peer.enable",
            {"id": self.ctx.peer_id},
            f"enable_peer {commands.ruby(self.ctx.peer_id)}",
            f"peer {self.ctx.peer_id}: ships what it held back, then every new write",
        )
        known = view.source.peers.current is not None
        return (Effect(action, (peer is not None and peer.enabled) if known else None),)

    def gates(self, view: View) -> tuple[Gate, ...]:
        return tuple(
            Gate(
                f"{HISTORY}.{t.name}",
                restored(view, t.name),
                f"table {t.name} must be restored and enabled on {self.name(Side.TARGET)} before anything is shipped",
            )
            for t in self.ctx.settings.tables
        ) + tuple(self._descriptor(view, t.name) for t in self.ctx.settings.tables)

    def _descriptor(self, view: View, table: str) -> Gate:
        """Whether the restored families are those that migrate, as they are on the source."""
        source, target = view.source.table(table), view.target.table(table)
        if source is None or target is None:
            return Gate(f"descriptor.{table}", None, f"the families of {table} were not seen on both sides")
        wanted = {name: source.family(name) for name in self.ctx.families(view, table)}
        other = sorted(name for name, family in wanted.items() if target.family(name) != family)
        return Gate(
            f"descriptor.{table}",
            not other,
            f"families {', '.join(other)} of {table} on {self.name(Side.TARGET)} are not as on the source; "
            f"{target.regions} regions there, {source.regions} on the source",
            waivable=True,
        )

    def undo(self, view: View) -> tuple[Action, ...]:
        peer = view.source.peer(self.ctx.peer_id)
        if peer is None or not peer.enabled or not added_by_us(view, peer.id):
            return ()
        return (
            self.act(
                Side.SOURCE,
                "peer.disable",
                {"id": self.ctx.peer_id},
                f"disable_peer {commands.ruby(self.ctx.peer_id)}",
                f"peer {self.ctx.peer_id}: holds new writes back again",
            ),
        )


@dataclass(frozen=True, kw_only=True)
class DrainProof(FerryStep):
    """Canary rows through every region server's queue, there and away again; queues short, none recovered.

    `kind` is `caught-up` while writes flow and `drained` after they stopped; only the latter is bound to the write
    counters: a write after the proof voids it.
    """

    kind: str
    final: bool = False

    def canary_id(self, view: View, table: str) -> str:
        base = self.ctx.base(view, f"canary-{self.kind}", table)
        withdrawn = sum(c.withdrawn and c.id.startswith(f"{base}-") for c in view.canaries.values())
        return f"{base}-{attempt(view, base) + withdrawn}"

    def effects(self, view: View) -> tuple[Effect, ...]:
        if self._proof_holds(view):
            return ()
        return tuple(effect for t in self.ctx.settings.tables for effect in self._canary(view, t.name))

    def _canary(self, view: View, table: str) -> tuple[Effect, ...]:
        family = (self.ctx.families(view, table) or ("",))[0]
        canary_id = self.canary_id(view, table)
        canary = view.canaries.get(canary_id)
        missing = sum(not row.present for row in canary.rows) if canary else 0
        write = self.act(
            Side.SOURCE,
            "canary.write",
            {"table": table, "family": family, "id": canary_id},
            f"put {commands.ruby(table)}, <region start>\\x00hbase-ferry-canary-{canary_id}, "
            f"{commands.ruby(family + ':ferry')}, {commands.ruby(canary_id)}",
            f"one row in one region of every region server of {self.name(Side.SOURCE)} that serves {table}",
            unknown=() if family else (f"families of {table}",),
        )
        delete = self._delete(view, table)
        deleted = canary is not None and canary.deleted
        arrived = canary is not None and bool(canary.rows) and (canary.removing or missing == 0)
        wait = (
            ""
            if canary is None
            else self._wait(
                view,
                canary,
                f"{missing} of {len(canary.rows) if canary else 0} canary rows of {table} have not arrived",
            )
        )
        left = sum(row.present for row in canary.rows) if canary else 0
        gone_wait = (
            self._wait(view, canary, f"{left} deleted canary rows of {table} are still on the target")
            if canary and deleted
            else ""
        )
        return (Effect(write, arrived, wait), Effect(delete, deleted and left == 0, gone_wait))

    def _delete(self, view: View, table: str, kind: str = "") -> Action:
        return self.act(
            Side.SOURCE,
            "canary.delete",
            {"table": table, "rows": list(leftovers(view, table, kind))},
            f"deleteall {commands.ruby(table)}, <the same rows>",
            f"the canary rows of {table}; replicated like any delete",
        )

    def _wait(self, view: View, canary: Canary, text: str) -> str:
        limit = self.ctx.settings.gates.canary_timeout_seconds
        return f"{text} after {duration(view.at - canary.sent_at)} of at most {duration(limit)}"

    def waiting_for(self, view: View) -> str | None:
        if self._proof_holds(view):
            return None
        proof = of_its_shipping(view, self.kind, self.ctx.peer_id)
        begun = any(self.canary_id(view, t.name) in view.canaries for t in self.ctx.settings.tables)
        if proof is not None and self.retries(view) and begun:
            return voided(proof, view)
        return self.queues_wait(view) or self._still_wait(view) or "the drain is proved; not yet on record"

    def queues_wait(self, view: View) -> str | None:
        """Why the queues do not look drained, with the number; None: they do (which alone proves nothing)."""
        queues, most = view.source.queues(self.ctx.peer_id), self.ctx.settings.gates.max_lag_ms
        if not queues:
            return f"no queue of {self.ctx.peer_id} was seen on {self.name(Side.SOURCE)}"
        return next((text for q in queues if (text := _queue_wait(q, most))), None)

    def _still_wait(self, view: View) -> str | None:
        return still_wait(self, view, 4.0) if self.final else None

    def failure(self, view: View) -> str | None:
        if self._proof_holds(view):
            return None
        limit = self.ctx.settings.gates.canary_timeout_seconds
        proof = of_its_shipping(view, self.kind, self.ctx.peer_id)
        for table in (t.name for t in self.ctx.settings.tables):
            canary = view.canaries.get(self.canary_id(view, table))
            if canary is not None and proof is not None and canary.sent_at <= proof.at:
                continue  # it came through; what voided the proof since is another matter
            if canary is not None and not canary.rows:
                return f"no region server of {self.name(Side.SOURCE)} took a canary row of {table}: nothing is proved"
            late = canary is not None and view.at - canary.sent_at > limit
            if canary is not None and late and any(row.present is canary.deleted for row in canary.rows):
                return (
                    f"canary rows of {table} did not come through within {duration(limit)}: "
                    f"peer {self.ctx.peer_id} is not shipping; see the peer's state for the cause"
                )
        return None

    def retries(self, view: View) -> tuple[str, ...]:
        stale = self.failure(view) is not None or (
            of_its_shipping(view, self.kind, self.ctx.peer_id) and not self._proof_holds(view)
        )
        names = (t.name for t in self.ctx.settings.tables if stale and self.canary_id(view, t.name) in view.canaries)
        return tuple(self.ctx.base(view, f"canary-{self.kind}", name) for name in names)

    def _proof_holds(self, view: View) -> bool:
        proof = of_its_shipping(view, self.kind, self.ctx.peer_id)
        return proof is not None and (not self.final or voided(proof, view) is None)

    def proves(self, view: View) -> Proof | None:
        if self.queues_wait(view) or self._still_wait(view):
            return None
        basis = {
            f"writes.{t.name}": str(view.stillness[t.name].writes)
            for t in self.ctx.settings.tables
            if t.name in view.stillness
        }
        servers = {row.server for c in view.canaries.values() for row in c.rows}
        return Proof(
            self.kind,
            self.ctx.peer_id,
            view.at,
            basis,
            f"canary rows through {len(servers)} region servers arrived on {self.name(Side.TARGET)} and left again",
        )

    def undo(self, view: View) -> tuple[Action, ...]:
        own = (t.name for t in self.ctx.settings.tables if leftovers(view, t.name, self.kind))
        return tuple(self._delete(view, table, self.kind) for table in own)

    def progress(self, view: View) -> Progress | None:
        queues = view.source.queues(self.ctx.peer_id)
        waiting = sum(max(0, queue.size - 1) for queue in queues)
        return Progress(0, None, "rows", f"{waiting} closed WALs wait in {len(queues)} queues") if queues else None


def leftovers(view: View, table: str, kind: str = "") -> tuple[str, ...]:
    """Keys, in hex, of canary rows (of `kind`; empty: all) written to the source's table and not deleted again."""
    there = (c for c in view.canaries.values() if c.table == table and not c.deleted)
    mine = (c for c in there if not kind or f"-canary-{kind}-" in c.id)
    return tuple(dict.fromkeys(row.row_hex for c in mine for row in c.rows))


def _queue_wait(queue: ReplicationQueue, most_ms: int) -> str | None:
    host = queue.server.split(",", 1)[0]
    if queue.recovered:
        return f"the recovered queue {queue.queue_id} on {host} is not done: {queue.size} WALs"
    if queue.running is False:
        return f"the source of peer {queue.peer} on {host} is not running"
    if queue.size > 2:
        return f"{queue.size} WALs wait on {host}, at most 2 are the open one and the one being shipped"
    if queue.lag_ms > most_ms:
        return f"lag {queue.lag_ms} ms on {host} is above the {most_ms} ms gate for peer {queue.peer}"
    return None


def voided(proof: Proof, view: View) -> str | None:
    """Why a drain proof no longer holds: the write counters moved since. None: they stand where they stood."""
    for key, value in proof.basis.items():
        table = key.removeprefix("writes.")
        writes = view.source.table_writes(table)
        if writes is not None and writes.total != int(value):
            return (
                f"the write counters of {table} went from {value} to {writes.total} since the drain was proved: "
                f"stop the writers and prove it again"
            )
    return None


def drained_gate(view: View, peer_id: str) -> Gate:
    """Open while the drain is proved and every table's write counters are seen to stand where they stood."""
    proof = of_its_shipping(view, "drained", peer_id)
    if proof is None:
        return Gate("drained", False, "the drain is not proved")
    for table in (key.removeprefix("writes.") for key in proof.basis):
        if view.source.table_writes(table) is None:
            return Gate(
                "drained", None, f"the write counters of {table} were not seen: whether it was written since is unknown"
            )
    text = voided(proof, view)
    return Gate("drained", text is None, text or "the drain is proved and no write came since")


def still_wait(step: FerryStep, view: View, seconds: float) -> str | None:
    """How long the write counters have to stand still yet; None: long enough, for every table."""
    waits: Sequence[str] = [w for t in step.ctx.settings.tables if (w := _table_still(step, view, t.name, seconds))]
    return waits[0] if waits else None


def _table_still(step: FerryStep, view: View, table: str, seconds: float) -> str | None:
    still = view.stillness.get(table)
    if still is None or view.source.writes.current is None:
        return f"the write counters of {table} on {step.name(Side.SOURCE)} were not seen"
    if still.seconds < seconds:
        return (
            f"the write counters of {table} have stood still for {still.seconds:.0f} s of {seconds:.0f} s "
            f"({still.writes} writes)"
        )
    return None


@dataclass(frozen=True, kw_only=True)
class StopWriters(FerryStep):
    """The operator stops the clients' writes; the counters of every region prove it. Sends nothing.

    Said for one peer while it ships: whoever added another one since, or disabled it, let the clients write meanwhile.
    """

    risk: Risk = Risk.CUTOVER

    def waiting_for(self, view: View) -> str | None:
        if of_its_shipping(view, "stopped", self.ctx.peer_id, "migration") is None:
            return still_wait(self, view, self.ctx.settings.gates.still_seconds) or "the stop is not on record yet"
        return None

    def proves(self, view: View) -> Proof | None:
        if still_wait(self, view, self.ctx.settings.gates.still_seconds):
            return None
        basis = {f"writes.{name}": str(still.writes) for name, still in view.stillness.items()}
        return Proof(
            "stopped",
            "migration",
            view.at,
            basis,
            f"write counters stood still for {self.ctx.settings.gates.still_seconds:.0f} s",
        )
