"""Snapshots and restores on a simulated cluster, and the starting and stopping of jobs over the wire.

A snapshot with flush is the table's content at one moment within the seconds it takes. A restore brings content and
descriptor, scopes included; an absent table becomes an ENABLED clone whose files are links into archive/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hbase_ferry.cluster.simulator import errors as e
from hbase_ferry.cluster.simulator.changes import Change, done, same
from hbase_ferry.cluster.simulator.cluster import SimCluster
from hbase_ferry.cluster.simulator.errors import hbase_error
from hbase_ferry.cluster.simulator.hdfs import SimSnapshot
from hbase_ferry.cluster.simulator.jobs import absent
from hbase_ferry.cluster.simulator.reads import Params
from hbase_ferry.cluster.simulator.tables import SimTable, make_regions
from hbase_ferry.cluster.simulator.world import Script, World


def snapshot_create(world: World, cluster: SimCluster, params: Params) -> Script:
    name = params["name"]
    if params["table"] not in cluster.tables:
        text = f"Table '{params['table']}' doesn't exist, can't take snapshot."
        raise hbase_error(e.SNAPSHOT_CREATION, text)
    table = cluster.tables[params["table"]]
    if name in cluster.area.snapshots:
        raise hbase_error(e.SNAPSHOT_EXISTS, f"Snapshot '{name}' already stored on the filesystem.")
    if not name or name[0] in ".-" or ":" in name:
        raise hbase_error(e.ILLEGAL_ARGUMENT, f"Illegal character <{name[:1]}> in snapshot name: {name}")
    if name in cluster.area.tmp:
        raise hbase_error(
            e.SNAPSHOT_CREATION,
            f"Rejected taking {name} because we are already running another snapshot on the same table "
            "or with the same name",
        )
    yield world.random.choice((0.7, 1.1, 2.1))
    taken = _capture(world, cluster, name, table)
    cluster.area.tmp[name] = taken
    yield world.random.choice((0.7, 2.0))
    cluster.area.tmp.pop(name, None)
    cluster.area.snapshots[name] = taken
    return done()


def _capture(world: World, cluster: SimCluster, name: str, table: SimTable) -> SimSnapshot:
    table.flush()
    return SimSnapshot(name, table.name, world.now_ms + cluster.skew_ms, table.descriptor, table.rows.copy(),
                       table.loaded, table.row_bytes, table.edit_bytes, len(table.regions),
                       tuple(replace(file, link=False) for file in table.files))  # fmt: skip


def snapshot_delete(world: World, cluster: SimCluster, params: Params) -> Script:
    yield 0.01
    if params["name"] not in cluster.area.snapshots:
        return same(f"no snapshot {params['name']}")
    del cluster.area.snapshots[params["name"]]
    return done()


def snapshot_restore(world: World, cluster: SimCluster, params: Params) -> Script:
    name = params["name"]
    snapshot = cluster.area.snapshots.get(name)
    if snapshot is None:
        raise hbase_error(e.RESTORE, f"Unable to find the table name for snapshot={name}")
    table = cluster.tables.get(snapshot.table)
    if table is not None and table.enabled:
        raise hbase_error(e.TABLE_NOT_DISABLED, snapshot.table)
    namespace = snapshot.table.rpartition(":")[0] or "default"
    if namespace not in cluster.namespaces:
        raise hbase_error(e.NAMESPACE_NOT_FOUND, namespace)
    live = {file.key for file in table.files if not file.link} if table is not None else set()
    if cluster.area.holds(snapshot, live)[2]:
        raise hbase_error(e.CORRUPTED, f"Snapshot={name}: Missing parent hfile for its reference files")
    yield 2.2
    if table is not None:
        world.archive_files(cluster, cluster.drop_table(table.name))
    _install(world, cluster, snapshot, enabled=table is None)
    return done("cloned; the table is ENABLED" if table is None else "restored; the table stays DISABLED")


def _install(world: World, cluster: SimCluster, snapshot: SimSnapshot, *, enabled: bool) -> None:
    regions = make_regions(snapshot.table, snapshot.loaded, snapshot.regions, len(cluster.servers),
                           snapshot.descriptor.scope_mask, cluster.cluster_id)  # fmt: skip
    links = [replace(file, link=True) for file in snapshot.files]
    table = SimTable(snapshot.table, world.number_of(snapshot.table), snapshot.descriptor, snapshot.loaded,
                     snapshot.row_bytes, snapshot.edit_bytes, snapshot.rows.copy(), regions, world.keys,
                     links, enabled)  # fmt: skip
    cluster.add_table(table)


def job_start(world: World, cluster: SimCluster, params: Params) -> Script:
    yield 0.15
    return world.jobs.start(cluster.side, params["id"], params["argv"], params["env"]).state()


def job_stop(world: World, cluster: SimCluster, params: Params) -> Script:
    yield 0.1
    job = world.jobs.stop(cluster.side, params["id"])
    return job.state() if job is not None else absent(cluster.side, params["id"])


SNAPSHOT_CHANGES: Mapping[str, Change] = {
    "snapshot.create": snapshot_create, "snapshot.delete": snapshot_delete, "snapshot.restore": snapshot_restore,
    "job.start": job_start, "job.stop": job_stop,
}  # fmt: skip
