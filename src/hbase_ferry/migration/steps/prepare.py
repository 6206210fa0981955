"""Phase 1: make the source hold every new write back for the target, before anything is copied.

Order matters (HBase guide, cluster replication; facts in docs/architecture.md): the peer exists, DISABLED, before
the scope is raised, and the scope is raised before the snapshot, because a WAL entry carries the scope it was
written with (ScopeWALEntryFilter) and WALs are kept only from the peer's creation on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hbase_ferry.migration import commands
from hbase_ferry.migration.context import added_by_us, basis_scopes, held, of_this_peer, restored, scopes_of, standing
from hbase_ferry.migration.core import Action, Effect, Gate, Progress, Risk
from hbase_ferry.migration.steps.base import FerryStep, orphan_gates
from hbase_ferry.model.cluster import Peer, Side
from hbase_ferry.model.view import Proof, View


@dataclass(frozen=True, kw_only=True)
class Namespaces(FerryStep):
    """The target needs every namespace of the tables before a restore."""

    def wanted(self) -> tuple[str, ...]:
        """Namespaces of the tables to move, without `default`."""
        names = {t.name.split(":", 1)[0] for t in self.ctx.settings.tables if ":" in t.name}
        return tuple(sorted(names - {"default"}))

    def effects(self, view: View) -> tuple[Effect, ...]:
        present = view.target.namespaces.current
        return tuple(
            Effect(
                self.act(
                    Side.TARGET,
                    "namespace.create",
                    {"name": ns},
                    f"create_namespace {commands.ruby(ns)}",
                    f"namespace {ns} on {self.name(Side.TARGET)}",
                ),
                None if present is None else ns in present,
            )
            for ns in self.wanted()
        )

    def prior(self, view: View) -> Proof | None:
        present = view.target.namespaces.current
        if present is None:
            return None
        absent = {ns: "absent" for ns in self.wanted() if ns not in present}
        where = self.name(Side.TARGET)
        return Proof("before-namespaces", "migration", view.at, absent, f"{where} had no {', '.join(absent)}")

    def undo(self, view: View) -> tuple[Action, ...]:
        """Namespaces that were absent before, as long as no table lies in them."""
        before, tables = standing(view, "before-namespaces", "migration", self.id), view.target.tables.current
        if before is None or tables is None or self.superseded(view):
            return ()
        used = {table.namespace for table in tables}
        return tuple(
            self.act(
                Side.TARGET,
                "namespace.delete",
                {"name": ns},
                f"drop_namespace {commands.ruby(ns)}",
                f"namespace {ns} on {self.name(Side.TARGET)}, which is empty",
            )
            for ns in view.target.namespaces.current or ()
            if ns in before.basis and ns not in used
        )


@dataclass(frozen=True, kw_only=True)
class AddPeer(FerryStep):
    """Adds the peer DISABLED, with exactly the tables (and families) to move."""

    def table_cfs(self) -> dict[str, list[str]]:
        return {t.name: list(t.families) for t in self.ctx.settings.tables}

    def key(self, view: View) -> str | None:
        identity = view.target.identity.current
        return self.ctx.settings.target.cluster_key or (identity.cluster_key if identity else None)

    def effects(self, view: View) -> tuple[Effect, ...]:
        identity = view.source.identity.current
        major = identity.major if identity else 2
        known = view.source.peers.current is not None
        peer = view.source.peer(self.ctx.peer_id)
        add = self.adding(view, major)
        off = self.act(
            Side.SOURCE,
            "peer.disable",
            {"id": self.ctx.peer_id},
            f"disable_peer {commands.ruby(self.ctx.peer_id)}",
            f"peer {self.ctx.peer_id} on {self.name(Side.SOURCE)}: nothing is shipped before the history is there",
        )
        if peer is None and major != 1:
            return (Effect(add, False if known else None),)
        exists = peer is not None if known else None
        return (Effect(add, exists), Effect(off, self._holding(view, peer) if known else None))

    def _holding(self, view: View, peer: Peer | None) -> bool:
        """Whether the peer is disabled, or may be enabled by now. 2.x needs no second action: it is born DISABLED.

        An effect that is there before anything was sent would make the step look begun and its gates pass.
        """
        if peer is None:
            return False
        return not peer.enabled or all(self.carried(view, t.name) for t in self.ctx.settings.tables)

    def carried(self, view: View, table: str) -> bool | None:
        """Whether the table's history is on the target, so that the peer may ship."""
        return restored(view, table)

    def adding(self, view: View, major: int) -> Action:
        """The action that adds the peer; `major`: of the source's HBase line."""
        key, settings = self.key(view), self.ctx.settings
        return self.act(
            Side.SOURCE,
            "peer.add",
            {
                "id": self.ctx.peer_id,
                "cluster_key": key or "",
                "table_cfs": {t: list(f) for t, f in self.table_cfs().items()},
                "bandwidth": settings.peer_bandwidth,
                "serial": settings.peer_serial,
                "window_ok": major == 1,
            },
            commands.add_peer(
                self.ctx.peer_id,
                key or "<target quorum:port:znode>",
                self.table_cfs(),
                born_disabled=major != 1,
                bandwidth=settings.peer_bandwidth,
                serial=settings.peer_serial,
            ),
            f"peer {self.ctx.peer_id} on {self.name(Side.SOURCE)}: from now on every WAL is kept until it is shipped",
            unknown=() if key else ("target cluster key",),
        )

    def gates(self, view: View) -> tuple[Gate, ...]:
        peer = view.source.peer(self.ctx.peer_id)
        gates = [self._free(view), *orphan_gates(self, view), *self._no_order(view)]
        if peer is not None and not self.same(peer, view):
            gates.append(Gate("peer.same", False, self.difference(peer, view)))
        elif peer is not None:
            gates.append(Gate("peer.ours", added_by_us(view, peer.id), self._foreign(), waivable=True))
            gates += self._other_limit(peer)
        return tuple(gates)

    def _no_order(self, view: View) -> tuple[Gate, ...]:
        identity = view.source.identity.current
        if not self.ctx.settings.peer_serial or identity is None or identity.major != 1:
            return ()
        text = (
            f"{self.name(Side.SOURCE)} runs HBase {identity.hbase_version}, which has no serial peers: the writes of a "
            "region may arrive out of their order. Set peer_serial: false, or accept gate peer.serial with a reason"
        )
        return (Gate("peer.serial", False, text, waivable=True),)

    def _other_limit(self, peer: Peer) -> tuple[Gate, ...]:
        """A warning and no more: whoever watches the crossing may raise or lift the limit by hand."""
        wanted = self.ctx.settings.peer_bandwidth
        if peer.bandwidth == wanted:
            return ()
        has = f"a limit of {peer.bandwidth} bytes a second and region server" if peer.bandwidth else "no limit"
        text = (
            f"peer {peer.id} on {self.name(Side.SOURCE)} has {has}, and peer_bandwidth is {wanted}: unless it was "
            f"changed on purpose, set_peer_bandwidth {commands.ruby(peer.id)}, {wanted} in the hbase shell"
        )
        return (Gate("peer.bandwidth", False, text, str(peer.bandwidth), str(wanted), warning=True),)

    def prior(self, view: View) -> Proof | None:
        if view.source.peers.current is None or view.source.peer(self.ctx.peer_id) is not None:
            return None
        note = f"{self.name(Side.SOURCE)} had no peer {self.ctx.peer_id} before"
        # on record anew each time: a peer that went and is added again is another one, without the backlog
        return Proof("before-peer", self.ctx.peer_id, view.at, {"generation": f"{view.at:.3f}"}, note)

    @property
    def adds_peer(self) -> str:
        return self.ctx.peer_id

    def lost(self, view: View) -> Proof | None:
        """A peer that is gone has dropped what it held back, whoever adds one of its id again."""
        gone = view.source.peers.current is not None and view.source.peer(self.ctx.peer_id) is None
        if not gone or held(view, self.ctx.peer_id) is None or self.superseded(view):
            return None
        note = f"peer {self.ctx.peer_id} is gone from {self.name(Side.SOURCE)}, and what it held back"
        return Proof("undone", self.id, view.at, {}, note)

    def disowned(self, action: Action, refusal: str, at: float) -> Proof | None:
        """Somebody else added a peer of this id between our look and our call; what exists is not ours."""
        if action.method != "peer.add" or "already exists" not in refusal:
            return None
        return Proof("undone", self.id, at, {}, f"peer {self.ctx.peer_id} was added by somebody else just before")

    def _foreign(self) -> str:
        return (
            f"peer {self.ctx.peer_id} on {self.name(Side.SOURCE)} was not added by this migration: another hbase-ferry "
            f"or a person did, and may be using it. Choose another peer_id; if nobody uses it, remove it, or accept "
            f"gate peer.ours with a reason"
        )

    def waiting_for(self, view: View) -> str | None:
        return None if held(view, self.ctx.peer_id) else f"peer {self.ctx.peer_id} is not on record yet"

    def proves(self, view: View) -> Proof | None:
        return Proof(
            "holding", self.ctx.peer_id, view.at, {}, f"peer {self.ctx.peer_id} holds back every write from now on"
        )

    def failure(self, view: View) -> str | None:
        peer = view.source.peer(self.ctx.peer_id)
        if peer is None or (self.same(peer, view) and added_by_us(view, peer.id)):
            return None
        return self._foreign() if self.same(peer, view) else self.difference(peer, view)

    def same_tables(self, peer: Peer) -> bool:
        """Whether an existing peer ships exactly the tables and families of this migration."""
        wanted = {t: tuple(sorted(f)) for t, f in self.table_cfs().items()}
        there = {t: tuple(sorted(f)) for t, f in peer.table_cfs.items()}
        return not (peer.replicate_all or peer.namespaces) and there == wanted

    def same(self, peer: Peer, view: View) -> bool:
        """Whether an existing peer is the one this migration would add; its limit is the operator's to change."""
        return self.same_way(peer, view) and self._same_order(peer, view)

    def same_way(self, peer: Peer, view: View) -> bool:
        """Whether an existing peer ships the same tables to the same place."""
        key = self.key(view)
        return self.same_tables(peer) and not peer.endpoint and (key is None or peer.cluster_key == key)

    def _same_order(self, peer: Peer, view: View) -> bool:
        """1.x has no serial peers, and shows none."""
        identity = view.source.identity.current
        return identity is None or identity.major == 1 or peer.serial == self.ctx.settings.peer_serial

    def difference(self, peer: Peer, view: View) -> str:
        """What an existing peer of our id does instead, and what to do about it."""
        if self.same_way(peer, view):
            has, wanted = (str(serial).lower() for serial in (peer.serial, self.ctx.settings.peer_serial))
            return (
                f"peer {peer.id} on {self.name(Side.SOURCE)} has SERIAL {has}, and peer_serial is {wanted}: "
                f"set_peer_serial {commands.ruby(peer.id)}, {wanted} in the hbase shell, or set peer_serial: {has}"
            )
        return (
            f"peer {peer.id} on {self.name(Side.SOURCE)} ships {sorted(peer.table_cfs) or 'every table'} to "
            f"{peer.cluster_key or peer.endpoint}; this migration wants {sorted(self.table_cfs())} to "
            f"{self.key(view)}: choose another peer_id, or remove that peer yourself"
        )

    def _free(self, view: View) -> Gate:
        disk, least = view.source.disk.current, self.ctx.settings.gates.min_free_fraction
        if disk is None:
            return Gate("disk.free", None, f"free space of {self.name(Side.SOURCE)} was not seen", waivable=True)
        if disk.capacity <= 0:
            return Gate("disk.free", True, f"{disk.filesystem} states no capacity", waivable=True)
        free = disk.remaining / disk.capacity
        return Gate(
            "disk.free",
            free >= least,
            f"{free:.0%} of {self.name(Side.SOURCE)}'s disk is free, {least:.0%} is the least for holding WALs back",
            f"{free:.3f}",
            f"{least}",
            waivable=True,
        )

    def undo(self, view: View) -> tuple[Action, ...]:
        if view.source.peer(self.ctx.peer_id) is None or not added_by_us(view, self.ctx.peer_id):
            return ()
        return (
            self.act(
                Side.SOURCE,
                "peer.remove",
                {"id": self.ctx.peer_id},
                f"remove_peer {commands.ruby(self.ctx.peer_id)}",
                f"peer {self.ctx.peer_id} and the writes it holds back",
                Risk.DESTRUCTIVE,
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Queues(FerryStep):
    """Waits until every live region server reports a queue for the peer."""

    def dark(self, view: View) -> tuple[str, ...] | None:
        """Live servers without a queue of the peer; None: not observed."""
        identity, load = view.source.identity.current, view.source.load.current
        if identity is None or load is None or not identity.servers:
            return None
        lit = {queue.server for queue in view.source.queues(self.ctx.peer_id)}
        return tuple(server for server in identity.servers if server not in lit)

    def waiting_for(self, view: View) -> str | None:
        if of_this_peer(view, "queues", self.ctx.peer_id):
            return None
        dark = self.dark(view)
        if dark is None:
            return f"the replication load of {self.name(Side.SOURCE)} was not seen"
        if dark:
            return f"{len(dark)} region servers hold no queue for {self.ctx.peer_id} yet: {', '.join(dark[:3])}"
        return "every region server holds the queue; not yet on record"

    def proves(self, view: View) -> Proof | None:
        if self.dark(view) != ():
            return None
        servers = len({queue.server for queue in view.source.queues(self.ctx.peer_id)})
        return Proof(
            "queues",
            self.ctx.peer_id,
            view.at,
            {"servers": str(servers)},
            f"{servers} region servers hold a queue for peer {self.ctx.peer_id}",
        )

    def progress(self, view: View) -> Progress | None:
        identity, dark = view.source.identity.current, self.dark(view)
        if identity is None or dark is None:
            return None
        return Progress(len(identity.servers) - len(dark), len(identity.servers), "servers")


@dataclass(frozen=True, kw_only=True)
class Scope(FerryStep):
    """Raises REPLICATION_SCOPE of the migrating families to 1."""

    def wanted(self, view: View) -> dict[str, int]:
        return dict.fromkeys(self.ctx.families(view, self.lane), 1)

    def effects(self, view: View) -> tuple[Effect, ...]:
        wanted, table = self.wanted(view), view.source.table(self.lane)
        action = self.act(
            Side.SOURCE,
            "table.scope",
            {"table": self.lane, "scopes": dict(wanted)},
            commands.alter_scope(self.lane, wanted),
            f"{self.lane} on {self.name(Side.SOURCE)}: its regions reopen one after another",
            unknown=() if wanted else ("families of " + self.lane,),
        )
        identity = view.source.identity.current
        if table is None or identity is None:
            return (Effect(action, None if view.source.tables.current is None else False),)
        raised = scopes_of(table, wanted) == wanted
        return (Effect(action, raised),)

    def waiting_for(self, view: View) -> str | None:
        identity = view.source.identity.current
        if identity is not None and identity.regions_in_transition:
            return f"{identity.regions_in_transition} regions are in transition on {self.name(Side.SOURCE)}"
        return None

    def gates(self, view: View) -> tuple[Gate, ...]:
        table = view.source.table(self.lane)
        exists = None if view.source.tables.current is None else table is not None and table.enabled
        return (
            Gate("table.enabled", exists, f"table {self.lane} must exist and be enabled on {self.name(Side.SOURCE)}"),
            self.holding(view, "before the scope is raised"),
        )

    def prior(self, view: View) -> Proof | None:
        table = view.source.table(self.lane)
        return None if table is None else scope_proof(self.lane, scopes_of(table, self.wanted(view)), view.at)

    def undo(self, view: View) -> tuple[Action, ...]:
        before = basis_scopes(view.proof("before-scope", self.lane))
        table = view.source.table(self.lane)
        if table is None or not before or scopes_of(table, before) == before:
            return ()
        return (
            self.act(
                Side.SOURCE,
                "table.scope",
                {"table": self.lane, "scopes": dict(before)},
                commands.alter_scope(self.lane, before),
                f"{self.lane}: back to the scopes it had",
            ),
        )


def scope_proof(table: str, scopes: Mapping[str, int], at: float) -> Proof:
    """The scopes before the first change, to be put back at the end."""
    basis = {f"scope.{family}": str(scope) for family, scope in scopes.items()}
    return Proof("before-scope", table, at, basis, f"{table} had {', '.join(f'{k}={v}' for k, v in scopes.items())}")
