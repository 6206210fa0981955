"""The checks before a migration to Bigtable; see `insight.bigtable.checks`."""

from __future__ import annotations

from dataclasses import dataclass, field

from hbase_ferry.insight.bigtable.checks import BigtableWish, preflight
from hbase_ferry.insight.bigtable.rollout import rollout
from hbase_ferry.insight.preflight import Finding, TableWish
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.steps.prepare import Preflight
from hbase_ferry.model.view import View


def wish_of(ctx: BigtableContext) -> BigtableWish:
    """What the servers and the instance have to be."""
    own = ctx.bigtable
    return BigtableWish(
        project=own.project,
        instance=own.instance,
        app_profile=own.app_profile,
        library=own.library,
        dry_run=own.dry_run,
        emulator=bool(own.emulator),
        endpoint=own.endpoint,
    )


@dataclass(frozen=True, kw_only=True)
class BigtablePreflight(Preflight):
    """Named checks of the source, of every server's own configuration and of the instance. Sends nothing."""

    ctx: BigtableContext = field(repr=False)

    def findings(self, view: View) -> tuple[Finding, ...]:
        settings = self.ctx.settings
        wishes = tuple(TableWish(t.name, t.families) for t in settings.tables)
        return preflight(
            view,
            wishes,
            self.ctx.peer_id,
            wish_of(self.ctx),
            min_free_fraction=settings.gates.min_free_fraction,
            run_id=self.ctx.run_id,
        )

    def says(self, view: View) -> tuple[str, ...]:
        """Which servers run with library and keys, and which to restart next. hbase-ferry restarts none."""
        servers = view.source.servers.current
        return rollout(servers, wish_of(self.ctx)).sentences if servers else ()
