"""Every check before anything is changed: one named finding each, with its number. Pure; sends nothing.

Invariant: each check answers in every view, and what could not be observed is `unknown`, never `ok`. Check
names are stable: they are gate names (`preflight.<check>`) and what an operator waives. Called by the
plan's first step.
"""

from __future__ import annotations

from collections.abc import Sequence

from hbase_ferry.insight.checks import clusters, peers, room, tables
from hbase_ferry.insight.checks.base import Ask, Finding, Severity, TableWish
from hbase_ferry.insight.queues import BATCH_CAPACITY, NODE_BANDWIDTH
from hbase_ferry.model.view import View

__all__ = ["SETTINGS_KEYS", "Finding", "Severity", "TableWish", "preflight", "source_checks"]

SETTINGS_KEYS: tuple[str, ...] = (
    "dfs.replication",
    "hbase.master.cleaner.interval",
    "hbase.master.hfilecleaner.ttl",
    "hbase.master.logcleaner.ttl",
    "hbase.master.snapshot.ttl",
    "hbase.regionserver.wal.enablecompression",
    "hbase.replication.bulkload.enabled",
    "hbase.replication.cluster.id",
    "hbase.replication.conf.dir",
    "hbase.security.authentication",
    "hbase.security.authorization",
    "hbase.snapshot.enabled",
    "hbase.wal.provider",
    "hbase.wal.regiongrouping.numgroups",
    "mapreduce.framework.name",
    NODE_BANDWIDTH,
    BATCH_CAPACITY,
)
"""What a look must ask for (`Watch.settings`), so that insight knows each cluster's own values."""


def preflight(
    view: View,
    tables_: Sequence[TableWish],
    peer_id: str,
    *,
    min_free_fraction: float = 0.15,
    skip_tmp: bool | None = None,
    run_id: str = "",
    max_skew_ms: int = 30_000,
) -> tuple[Finding, ...]:
    """All findings in a fixed order, one a check. `skip_tmp` None: chosen by the target's version."""
    ask = Ask(view, tuple(tables_), peer_id, min_free_fraction, skip_tmp, run_id, max_skew_ms)
    modules = (clusters, tables, peers, room)
    return tuple(finding for module in modules for finding in module.findings(ask))


def source_checks(ask: Ask) -> tuple[Finding, ...]:
    """The findings that hold whatever the target is, in a fixed order: for a target that is no HBase cluster."""
    return tuple(finding for module in (clusters, tables, peers, room) for finding in module.source_findings(ask))
