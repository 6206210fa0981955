"""The checks before a migration to Bigtable; see `insight.bigtable.checks`."""

from __future__ import annotations

from dataclasses import dataclass, field

from hbase_ferry.insight.bigtable.checks import BigtableWish, of_servers, preflight
from hbase_ferry.insight.bigtable.rollout import rollout
from hbase_ferry.insight.preflight import Finding
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.core import Gate
from hbase_ferry.migration.steps.checks import Preflight
from hbase_ferry.model.view import View


def wish_of(ctx: BigtableContext) -> BigtableWish:
    """What the servers and the instance have to be."""
    own, back = ctx.bigtable, ctx.bigtable.way_back
    return BigtableWish(
        project=own.project,
        instance=own.instance,
        app_profile=own.app_profile,
        library=own.library,
        dry_run=own.dry_run,
        emulator=own.emulator,
        endpoint=own.endpoint,
        way_back=(back.hbase_qualifier, back.cbt_qualifier) if back is not None else None,
    )


SHIPPING = ("bt.library", "bt.site-keys", "bt.credentials", "bt.abort", "bt.bulk-loads")
"""Checks of the servers that decide where, as whom, and whether a peer ships."""


def server_gates(ctx: BigtableContext, view: View) -> tuple[Gate, ...]:
    """Those checks anew, before a peer is added or enabled: a server may have been restarted with other keys since.

    What could not be read is closed too, until somebody who looked says so.
    """
    opened = {"ok": True, "warn": True, "block": False, "unknown": None}
    found = of_servers(view, ctx.wishes, ctx.peer_id, wish_of(ctx), run_id=ctx.run_id)
    return tuple(
        Gate(f"servers.{f.check}", opened[f.severity], f.text, waivable=f.severity == "unknown")
        for f in found
        if f.check in SHIPPING
    )


@dataclass(frozen=True, kw_only=True)
class BigtablePreflight(Preflight):
    """Named checks of the source, of every server's own configuration and of the instance. Sends nothing."""

    ctx: BigtableContext = field(repr=False)

    def findings(self, view: View) -> tuple[Finding, ...]:
        return preflight(
            view,
            self.ctx.wishes,
            self.ctx.peer_id,
            wish_of(self.ctx),
            min_free_fraction=self.ctx.settings.gates.min_free_fraction,
            run_id=self.ctx.run_id,
        )

    def says(self, view: View) -> tuple[str, ...]:
        """Which servers run with library and keys, and which to restart next. hbase-ferry restarts none."""
        servers, identity = view.source.servers.current, view.source.identity.current
        major = identity.major if identity is not None else None
        return rollout(servers, wish_of(self.ctx), major).sentences if servers else ()
