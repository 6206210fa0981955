"""What makes a Bigtable instance a kind of target; the entry `migration.targets` builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hbase_ferry.insight.bigtable import library, stalls
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.migration.bigtable.losses import failed_starts, not_started_since, remember
from hbase_ferry.migration.bigtable.names import dry_peer
from hbase_ferry.migration.bigtable.plan import bigtable_plan
from hbase_ferry.migration.settings import Settings
from hbase_ferry.migration.targets import TargetKind
from hbase_ferry.model import cluster as model
from hbase_ferry.model.bigtable.names import LIMITS
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.view import View
from hbase_ferry.model.watch import Watch

PARTS = ("identity", "tables")
"""What an instance has of a ClusterView."""


def bigtable() -> TargetKind:
    """The entry."""
    return TargetKind(
        "bigtable",
        bigtable_plan,
        PARTS,
        causes,
        source_parts=model.PARTS,
        repairs=True,
        limits=LIMITS,
        jobs=False,
        watch=watch,
        remember=remember,
    )


def causes(peer_id: str, source_history: Sequence[ClusterView], view: View) -> tuple[Cause, ...]:
    """Of the migration's peer, and of its dry run's where that one is there."""
    both = (
        stalls.causes(each, source_history, view.target, not_started_since(view, each), failed_starts(view))
        for each in (peer_id, dry_peer(peer_id))
    )
    return tuple(dict.fromkeys(cause for found in both for cause in found))


def watch(asked: Watch, side: Side, settings: Settings) -> Watch:
    """On the source every server's own pages, where the library shows itself."""
    target = settings.target.bigtable
    if side is not Side.SOURCE or target is None:
        return asked
    return replace(
        asked,
        server_settings=library.SERVER_SETTINGS,
        server_metrics=library.SERVER_METRICS,
        server_jars=library.jar_texts(target.library),
    )
