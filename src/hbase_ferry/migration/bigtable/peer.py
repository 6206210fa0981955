"""The peer with Google's endpoint: a fresh WAL first, then born DISABLED, then running on every region server.

A new peer reads the open WAL from its beginning, and edits older than the peer arrive too (lab-bigtable.md §3); a roll
before it keeps that small. add_peer answers ok for a peer that cannot start, and the peer shows ENABLED with lag 0:
only `running` of every queue tells (§4.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hbase_ferry.insight.bigtable.startup import STARTING_SECONDS, not_started
from hbase_ferry.insight.format import plural
from hbase_ferry.migration import commands
from hbase_ferry.migration.bigtable.imports import import_gates
from hbase_ferry.migration.bigtable.names import BigtableContext, backfilled, holds_history, instance_path
from hbase_ferry.migration.bigtable.preflight import server_gates
from hbase_ferry.migration.bigtable.tables import schema_gate
from hbase_ferry.migration.context import generation, scopes_of, standing
from hbase_ferry.migration.core import HISTORY, Action, Caller, Gate, Work
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.migration.steps.catchup import EnablePeer
from hbase_ferry.migration.steps.prepare import AddPeer, Queues, Scope
from hbase_ferry.model.cluster import Peer, Side
from hbase_ferry.model.view import Proof, View

START_SECONDS = 60.0
"""How long a new peer's endpoint may take to start on every region server: heartbeats, and one connection each."""


@dataclass(frozen=True, kw_only=True)
class RollWals(FerryStep):
    """Has every region server begin a new WAL. No look at a cluster shows that: it is on record once answered."""

    def work(self, view: View) -> Work | None:
        return None if self._rolled(view) else Work(f"roll the WALs of {self.name(Side.SOURCE)}", self._roll, True)

    def _roll(self, clusters: Mapping[Side, Caller]) -> Proof:
        clusters[Side.SOURCE].call("wal.roll", {})
        note = f"every region server of {self.name(Side.SOURCE)} began a new WAL"
        return Proof("rolled", self.ctx.peer_id, 0.0, {}, note)

    def says(self, view: View) -> tuple[str, ...]:
        return (f"wal_roll '<server>' for every region server of {self.name(Side.SOURCE)}",)

    def waiting_for(self, view: View) -> str | None:
        return None if self._rolled(view) else f"the WALs of {self.name(Side.SOURCE)} were not rolled"

    def _rolled(self, view: View) -> bool:
        """Not for a second peer, and not after a scope was lowered: a put in the open WAL would come along, and a
        delete that followed it without the scope would not."""
        if view.source.peer(self.ctx.peer_id) is not None:
            return True
        later = ("add-peer", *(f"scope:{table.name}" for table in self.ctx.settings.tables))
        return all(standing(view, "rolled", self.ctx.peer_id, step) is not None for step in later)


@dataclass(frozen=True, kw_only=True)
class AddEndpointPeer(AddPeer):
    """Adds the peer with Google's endpoint class, DISABLED. No CONFIG: it would lose the connection's keys."""

    ctx: BigtableContext = field(repr=False)

    def adding(self, view: View, major: int) -> Action:
        return add_endpoint_peer(self, view, self.ctx.peer_id, self.table_cfs(), {}, major)

    def carried(self, view: View, table: str) -> bool | None:
        return backfilled(view, table)

    def key(self, view: View) -> str | None:
        """What the peer leads to, for sentences."""
        return instance_path(self.ctx.bigtable)

    def same_way(self, peer: Peer, view: View) -> bool:
        identity = view.source.identity.current
        wanted = self.ctx.endpoint(identity.major if identity else 2)
        return self.same_tables(peer) and peer.endpoint == wanted and not peer.config

    def gates(self, view: View) -> tuple[Gate, ...]:
        names = [table.name for table in self.ctx.settings.tables]
        empty = [gate for name in names if (gate := self._stale(view, name)) is not None]
        schema = (schema_gate(self, view, name) for name in names)
        return (*super().gates(view), *server_gates(self.ctx, view), *schema, *empty)

    def _stale(self, view: View, table: str) -> Gate | None:
        """Closed where a peer that is gone had its history copied: what was deleted without a peer stays there."""
        if view.source.peer(self.ctx.peer_id) is not None or not holds_history(self.ctx, view, table):
            return None
        name, there = f"stale.{table}.{generation(view)}", self.name(Side.TARGET)
        text = (
            f"{table} on {there} holds rows of an earlier copy: what {self.name(Side.SOURCE)} deletes while it has no "
            f"peer would stay in them. Undo step table:{table} (and those that stand on it), or accept gate {name} "
            f"with a reason if nothing is deleted"
        )
        return Gate(name, False, text, waivable=True)


def add_endpoint_peer(
    step: FerryStep,
    view: View,
    peer_id: str,
    table_cfs: Mapping[str, list[str]],
    config: Mapping[str, str],
    major: int,
) -> Action:
    """The action that adds a peer with Google's endpoint, DISABLED."""
    assert isinstance(step.ctx, BigtableContext)
    settings, endpoint, source = step.ctx.settings, step.ctx.endpoint(major), step.name(Side.SOURCE)
    return step.act(
        Side.SOURCE,
        "peer.add",
        {
            "id": peer_id,
            "cluster_key": "",
            "table_cfs": {t: list(f) for t, f in table_cfs.items()},
            "bandwidth": settings.peer_bandwidth,
            "serial": settings.peer_serial,
            "window_ok": major == 1,
            "endpoint": endpoint,
            "config": dict(config),
        },
        commands.add_endpoint_peer(
            peer_id,
            endpoint,
            table_cfs,
            config,
            born_disabled=major != 1,
            bandwidth=settings.peer_bandwidth,
            serial=settings.peer_serial,
        ),
        f"peer {peer_id} on {source}: from now on every WAL is kept until it is shipped",
        unknown=() if view.source.identity.current else (f"the HBase line of {source}, shown as for 2.x",),
    )


@dataclass(frozen=True, kw_only=True)
class RunningQueues(Queues):
    """Every region server holds the peer's queue, and its endpoint has started there.

    A disabled peer's endpoint is created and connects; only shipping waits (bigtable.md §1.3).
    """

    def idle(self, view: View) -> tuple[str, ...]:
        """Servers where the endpoint does not run."""
        return not_started(view.source, self.ctx.peer_id)

    def waiting_for(self, view: View) -> str | None:
        text = super().waiting_for(view)
        idle = self.idle(view)
        if text and idle and not self.dark(view):
            where = f"{plural(len(idle), 'region server')}, {', '.join(idle[:3])}"
            if self._held_for(view) < STARTING_SECONDS:
                return f"the endpoint of {self.ctx.peer_id} has not started yet on {where}"
            return (
                f"the endpoint of {self.ctx.peer_id} does not run on {where}: they lack the library or its "
                f"keys, and abort when their retries are over. See the peer's causes; repair and restart these "
                f"servers, or undo step add-peer"
            )
        return text

    def failure(self, view: View) -> str | None:
        """An endpoint that has not started for that long does not start by itself."""
        return self.waiting_for(view) if self._held_for(view) >= START_SECONDS and self.idle(view) else None

    def _held_for(self, view: View) -> float:
        added = view.proof("holding", self.ctx.peer_id)
        return view.at - added.at if added is not None else 0.0

    def proves(self, view: View) -> Proof | None:
        proof = None if self.idle(view) else super().proves(view)
        mute = any(queue.running is None for queue in view.source.queues(self.ctx.peer_id))
        if proof is None or not mute:
            return proof
        return replace(proof, note=f"{proof.note}; this HBase line does not say whether its endpoint runs")


@dataclass(frozen=True, kw_only=True)
class HeldScope(Scope):
    """Raises the scope, but not again for a peer that was there while it was lowered: what was written then is in no
    WAL for that peer, and the put whose delete is missing there would come back over the history."""

    def lost(self, view: View) -> Proof | None:
        """A scope that somebody lowered since the history is copied: the peer does not hold what is written now."""
        table, present = view.source.table(self.lane), str(generation(view))
        copied = view.proof("backfilled", self.lane)
        if table is None or copied is None or self.superseded(view) or copied.basis.get("generation") != present:
            return None
        lowered = [name for name, scope in scopes_of(table, self.ctx.families(view, self.lane)).items() if not scope]
        if not lowered or standing(view, "backfilled", self.lane, self.id) is None:
            return None
        note = f"the scope of {', '.join(lowered)} of {self.lane} was seen lowered after the history was copied"
        return Proof("undone", self.id, view.at, {}, note)

    def gates(self, view: View) -> tuple[Gate, ...]:
        lowered = self._lowered(view)
        return (*super().gates(view), *((Gate("scope.lowered", False, lowered),) if lowered else ()))

    def failure(self, view: View) -> str | None:
        """Whoever raised it again did not bring back what was written meanwhile."""
        return None if self.superseded(view) else self._lowered(view)

    def _lowered(self, view: View) -> str | None:
        peer = self.ctx.peer_id
        if view.proof("holding", peer) is None or standing(view, "holding", peer, self.id) is not None:
            return None
        return (
            f"the scope of {self.lane} was lowered while peer {peer} was there: what was written since is not held for "
            f"it. Undo step add-peer: a new peer begins with the history"
        )


@dataclass(frozen=True, kw_only=True)
class EnableEndpointPeer(EnablePeer):
    """Lets the peer ship, once the history is there and nothing of the schema is missing."""

    ctx: BigtableContext = field(repr=False)

    def gates(self, view: View) -> tuple[Gate, ...]:
        copied = (
            Gate(
                f"{HISTORY}.{t.name}",
                backfilled(view, t.name),
                f"the history of {t.name} must be on {self.name(Side.TARGET)} before anything is shipped over it",
            )
            for t in self.ctx.settings.tables
        )
        schema = (schema_gate(self, view, t.name) for t in self.ctx.settings.tables)
        imports = (gate for t in self.ctx.settings.tables for gate in import_gates(self.ctx, view, t.name))
        return (*server_gates(self.ctx, view), *copied, *schema, *imports)
