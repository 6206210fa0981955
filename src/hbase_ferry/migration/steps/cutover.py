"""Phase 4 and 5: the switch, and what is cleaned up after it.

`Switch` is the one fact no cluster can show: the operator says that the clients now talk to the target. From then
on the steps before it count as done, and the ones after it take the peer, the snapshots and every changed setting
away again.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbase_ferry.migration import commands, tools
from hbase_ferry.migration.context import basis_scopes, hash_directory, scopes_of, staging_folders
from hbase_ferry.migration.core import Effect, Gate, Risk
from hbase_ferry.migration.steps.base import FerryStep, orphan_gates
from hbase_ferry.migration.steps.catchup import drained_gate
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import Proof, View


@dataclass(frozen=True, kw_only=True)
class Switch(FerryStep):
    """The operator confirms that the clients use the target. Sends nothing."""

    def gates(self, view: View) -> tuple[Gate, ...]:
        return (drained_gate(view, self.ctx.peer_id), *orphan_gates(self, view))

    def waiting_for(self, view: View) -> str | None:
        return None if self.superseded(view) else "the clients' switch is not confirmed"

    def proves(self, view: View) -> Proof | None:
        return Proof("switched", "migration", view.at, {}, f"the clients use {self.name(Side.TARGET)}")


@dataclass(frozen=True, kw_only=True)
class AfterSwitch(FerryStep):
    """Base of the steps that are only true after the switch."""

    def superseded(self, view: View) -> bool:
        return False


@dataclass(frozen=True, kw_only=True)
class DisablePeer(AfterSwitch):
    """Stops the peer for good. Enabling it again would replay its WALs over the target's new writes."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        peer = view.source.peer(self.ctx.peer_id)
        known = view.source.peers.current is not None
        action = self.act(
            Side.SOURCE,
            "peer.disable",
            {"id": self.ctx.peer_id},
            f"disable_peer {commands.ruby(self.ctx.peer_id)}",
            f"peer {self.ctx.peer_id}",
        )
        return (Effect(action, (peer is None or not peer.enabled) if known else None),)

    def gates(self, view: View) -> tuple[Gate, ...]:
        """A client that missed the switch shows in the source's counters; a moved region does too: a warning."""
        gate = drained_gate(view, self.ctx.peer_id)
        if gate.open or view.source.peer(self.ctx.peer_id) is None:
            return ()
        text = f"look whether a client still writes to {self.name(Side.SOURCE)}, it would not reach the target any more"
        return (Gate("source.quiet", gate.open, f"{text}: {gate.text}", warning=True),)


@dataclass(frozen=True, kw_only=True)
class RemovePeer(AfterSwitch):
    """Removes the peer; done once list_peers and every server's queues agree that it is gone."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        known = view.source.peers.current is not None
        action = self.act(
            Side.SOURCE,
            "peer.remove",
            {"id": self.ctx.peer_id},
            f"remove_peer {commands.ruby(self.ctx.peer_id)}",
            f"peer {self.ctx.peer_id}: its queues go, its WALs are freed by the log cleaner",
            Risk.DESTRUCTIVE,
        )
        return (Effect(action, view.source.peer(self.ctx.peer_id) is None if known else None),)

    def waiting_for(self, view: View) -> str | None:
        if view.source.load.current is None:
            return f"the replication load of {self.name(Side.SOURCE)} was not seen"
        left = {queue.server for queue in view.source.queues(self.ctx.peer_id)}
        return f"{len(left)} region servers still report a queue of {self.ctx.peer_id}" if left else None


@dataclass(frozen=True, kw_only=True)
class DeleteSnapshots(AfterSwitch):
    """Deletes this migration's snapshots on both sides. The restored table keeps its files through its links."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        return tuple(
            self._delete(view, side, name) for side in (Side.SOURCE, Side.TARGET) for name in self.names(view, side)
        )

    def names(self, view: View, side: Side) -> tuple[str, ...]:
        """This run's snapshots on one side: those that should be there, and whatever else carries the run's name."""
        seen = {s.name for s in view.side(side).snapshots.value or () if s.name.startswith(self.ctx.snapshot_prefix)}
        return tuple(sorted(seen | {self.ctx.snapshot(view, t.name) for t in self.ctx.settings.tables}))

    def _delete(self, view: View, side: Side, name: str) -> Effect:
        action = self.act(
            side,
            "snapshot.delete",
            {"name": name},
            f"delete_snapshot {commands.ruby(name)}",
            f"snapshot {name} on {self.name(side)}",
            Risk.DESTRUCTIVE,
        )
        known = view.side(side).snapshots.current is not None
        return Effect(action, view.side(side).snapshot(name) is None if known else None)


@dataclass(frozen=True, kw_only=True)
class PutBack(AfterSwitch):
    """Puts every changed setting back: scopes on both sides, the target's major compaction; removes our folders."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        effects = [e for t in self.ctx.settings.tables for e in self._table(view, t.name)]
        return (*effects, *(self._removal(view, *folder) for folder in self._folders(view)))

    def _table(self, view: View, table: str) -> list[Effect]:
        effects = [self._scope(view, side, table) for side in (Side.SOURCE, Side.TARGET)]
        before, there = view.proof("before-compaction", table), view.target.table(table)
        value = before.basis.get("value") if before else None
        action = self.act(
            Side.TARGET,
            "table.major_compaction",
            {"table": table, "value": value},
            commands.alter_major_compaction(table, value),
            f"{table} on {self.name(Side.TARGET)}: major compaction as it was",
        )
        known = view.target.tables.current is not None
        untouched = there is None or before is None or there.major_compaction == value
        effects.append(Effect(action, untouched if known else None))
        return effects

    def _scope(self, view: View, side: Side, table: str) -> Effect:
        before = basis_scopes(view.proof("before-scope", table))
        there = view.side(side).table(table)
        if side is Side.TARGET and there is not None:
            before = {name: scope for name, scope in before.items() if there.family(name)}
        action = self.act(
            side,
            "table.scope",
            {"table": table, "scopes": dict(before)},
            commands.alter_scope(table, before),
            f"{table} on {self.name(side)}: scopes as they were",
        )
        known = view.side(side).tables.current is not None
        return Effect(action, (there is None or scopes_of(there, before) == before) if known else None)

    def _folders(self, view: View) -> tuple[tuple[str, Side, str, str], ...]:
        """(job kind, side, folder, what lies there) of every folder this run made."""
        hashes, staging = hash_directory(self.ctx, view), staging_folders(self.ctx)
        found = [("tidy", Side.SOURCE, hashes, "the hashes of the verifications")] if hashes else []
        if staging:
            found.append(("tidy-staging", Side.SOURCE, staging[0], "the staged copy of the history"))
            found.append(("tidy-landing", Side.TARGET, staging[1], "the landed copy of the history"))
        return tuple(found)

    def _removal(self, view: View, kind: str, side: Side, folder: str, what: str) -> Effect:
        argv = tools.remove_directory(self.ctx.settings.side(side), folder)
        return self.job(view, side, self.ctx.job(view, kind, ""), argv, f"{what} in {folder}")

    def failure(self, view: View) -> str | None:
        return self.job_failure(view, *(self.ctx.job(view, kind, "") for kind, *_ in self._folders(view)))

    def retries(self, view: View) -> tuple[str, ...]:
        """Removing is repeatable: after a failure all of it is begun again."""
        kinds = (kind for kind, *_ in self._folders(view)) if self.failure(view) else ()
        return tuple(self.ctx.base(view, kind, "") for kind in kinds if view.job(self.ctx.job(view, kind, "")))
