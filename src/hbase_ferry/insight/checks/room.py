"""Checks of space and of what earlier runs left."""

from __future__ import annotations

from collections.abc import Iterator

from hbase_ferry.insight.checks.base import Ask, Finding, TableWish, missing, setting
from hbase_ferry.insight.disk import NO_CAPACITY
from hbase_ferry.insight.format import percent, plural, size
from hbase_ferry.model.cluster import ClusterView

_DEFAULT_REPLICATION = 3


def findings(ask: Ask) -> Iterator[Finding]:
    """Every check of this module."""
    yield _source(ask)
    yield _target(ask)
    yield _leftovers(ask)


def source_findings(ask: Ask) -> Iterator[Finding]:
    """Those that ask nothing of an HBase target."""
    yield _source(ask)
    yield _leftovers(ask)


def _source(ask: Ask) -> Finding:
    """While the peer is disabled the source keeps every WAL of every table, written by all its region
    servers."""
    check, source = "source-space", ask.view.source
    disk = source.disk.current
    if disk is None:
        return missing(check, source, "disk", source.disk)
    if not 0 < disk.capacity < NO_CAPACITY:
        return Finding(check, "ok", f"{disk.filesystem} has no capacity to fill", source.side)
    free = max(0, disk.remaining) / disk.capacity
    text = f"{size(disk.remaining)} ({percent(free)}) free on {source.name} for the WALs held back"
    if free < ask.min_free_fraction:
        return Finding(check, "block", f"{text}, less than {percent(ask.min_free_fraction)}", source.side)
    return Finding(check, "ok", text, source.side)


def _target(ask: Ask) -> Finding:
    """What the tables take there, every replica counted: known from their folders, or bounded by all the
    source has."""
    check, target = "target-space", ask.view.target
    disk, here = target.disk.current, ask.view.source.disk.current
    if disk is None:
        return missing(check, target, "disk", target.disk)
    if not 0 < disk.capacity < NO_CAPACITY:
        return Finding(check, "ok", f"{disk.filesystem} has no capacity to fill", target.side)
    free = f"{size(disk.remaining)} free on {target.name}"
    sizes = [_table_bytes(ask.view.source, wish) for wish in ask.tables]
    known = [number for number in sizes if number is not None]
    if sizes and len(known) == len(sizes):
        copies = setting(target, "dfs.replication")
        replicas = (
            int(copies) if copies.isascii() and copies.isdigit() and int(copies) else _DEFAULT_REPLICATION
        )
        need = sum(known) * replicas
        text = f"{free}, the tables take {size(need)} with {plural(replicas, 'replica')}"
        return Finding(check, "ok" if need <= disk.remaining else "block", text, target.side)
    if here is not None and 0 < here.used <= disk.remaining:
        text = f"{free}, more than the {size(here.used)} that {ask.view.source.name} uses in all"
        return Finding(check, "ok", text, target.side)
    text = f"{free}; how much the tables take is known after their snapshots"
    return Finding(check, "unknown", text, target.side)


def _table_bytes(source: ClusterView, wish: TableWish) -> int | None:
    """Bytes of the table's folder, where the look at the disk was asked for it
    (<rootdir>/data/<ns>/<table>)."""
    disk = source.disk.current
    namespace, _, name = wish.name.rpartition(":")
    folder = f"/data/{namespace or 'default'}/{name}"
    return (
        next((u.bytes for u in disk.others if u.exists and u.path.rstrip("/").endswith(folder)), None)
        if disk
        else None
    )


def _leftovers(ask: Ask) -> Finding:
    check = "leftover-snapshots"
    ours = f"ferry-{ask.run_id}-" if ask.run_id else "ferry-"
    found: list[str] = []
    for view in ask.sides:
        if view.snapshots.current is None:
            return missing(check, view, "snapshots", view.snapshots)
        found += [f"{s.name} on {view.name}" for s in view.snapshots.current if s.name.startswith("ferry-")]
    clash = [name for name in found if name.startswith(ours)]
    if clash and ask.run_id:
        text = f"snapshots of this run are there already: {', '.join(clash[:3])}"
        return Finding(check, "warn", text, None)
    if found:
        text = f"{plural(len(found), 'snapshot')} of earlier runs keep their files: {', '.join(found[:3])}"
        return Finding(check, "warn", text, None)
    return Finding(check, "ok", "no snapshot of an earlier run is left", None)
