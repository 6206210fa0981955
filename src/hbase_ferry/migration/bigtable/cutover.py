"""The cutover: nothing lost without somebody's word for it, then the switch, then what is taken away on the source.

After the switch the old peer is never enabled again: every disable then enable replays its WALs from the open one's
beginning, over the target's new writes (lab-bigtable.md §3).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hbase_ferry.insight.bigtable.wayback import way_back
from hbase_ferry.migration.bigtable.losses import loss_gates
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.context import basis_scopes, hash_directory
from hbase_ferry.migration.core import Effect, Gate
from hbase_ferry.migration.steps.catchup import StopWriters
from hbase_ferry.migration.steps.cutover import DeleteSnapshots, PutBack, Switch
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import View


def way_back_gates(ctx: BigtableContext, view: View) -> tuple[Gate, ...]:
    """Whether a stream back to HBase would filter what this one wrote; only where one is wanted.

    Asked before the writers stop too: what it asks for is a rolling restart.
    """
    wanted = ctx.bigtable.way_back
    if wanted is None:
        return ()
    found = way_back(view.source.servers.current or (), wanted.hbase_qualifier, wanted.cbt_qualifier)
    return (Gate("way-back", found.ok, found.text, waivable=True),)


@dataclass(frozen=True, kw_only=True)
class StopWritersOnceAccepted(StopWriters):
    """Stops the writers once every loss is accepted with a reason, and the way back is there where one is wanted."""

    ctx: BigtableContext = field(repr=False)

    def gates(self, view: View) -> tuple[Gate, ...]:
        return (*super().gates(view), *loss_gates(self.ctx, view), *way_back_gates(self.ctx, view))


@dataclass(frozen=True, kw_only=True)
class SwitchToInstance(Switch):
    """The operator says that the clients use the instance; what is not accepted keeps it closed."""

    ctx: BigtableContext = field(repr=False)

    def gates(self, view: View) -> tuple[Gate, ...]:
        return (*super().gates(view), *loss_gates(self.ctx, view), *way_back_gates(self.ctx, view))


@dataclass(frozen=True, kw_only=True)
class DeleteSourceSnapshots(DeleteSnapshots):
    """This run's snapshots, which lie on the source alone."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        return tuple(self._delete(view, Side.SOURCE, name) for name in self.names(view, Side.SOURCE))


@dataclass(frozen=True, kw_only=True)
class PutBackOnSource(PutBack):
    """Scopes as they were, and this run's folders gone. The source's own tables stay as they are."""

    ctx: BigtableContext = field(repr=False)

    def effects(self, view: View) -> tuple[Effect, ...]:
        scopes = [self._scope(view, Side.SOURCE, t.name) for t in self.ctx.settings.tables]
        changed = [e for e in scopes if basis_scopes(view.proof("before-scope", str(e.action.params["table"])))]
        return (*changed, *(self._removal(view, *folder) for folder in self._folders(view)))

    def _folders(self, view: View) -> tuple[tuple[str, Side, str, str], ...]:
        found = []
        hashes, exported = hash_directory(self.ctx, view), self.ctx.bigtable.backfill.export_dir
        if hashes and self.ctx.uses_hash_table:
            found.append(("tidy", Side.SOURCE, hashes, "the hashes of the verifications"))
        if exported and self.ctx.uses_beam:
            folder = f"{exported.rstrip('/')}/ferry-{self.ctx.run_id}"
            found.append(("tidy-export", Side.SOURCE, folder, "the exported copy of the history"))
        return tuple(found)


