"""The changing methods of the wire for tables and canary rows: alters region by region, drops, writes through the WAL.

Generators as in `changes`; durations are those measured on real servers (lab-hbase.md §3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hbase_ferry.cluster.simulator import errors as e
from hbase_ferry.cluster.simulator.changes import Change, done, same
from hbase_ferry.cluster.simulator.cluster import SimCluster
from hbase_ferry.cluster.simulator.errors import hbase_error
from hbase_ferry.cluster.simulator.reads import Params, canary_row, items
from hbase_ferry.cluster.simulator.tables import Region, SimTable
from hbase_ferry.cluster.simulator.wal import DELETE, PUT
from hbase_ferry.cluster.simulator.world import Script, World

CANARY = b"\x00hbase-ferry-canary-"


def table_of(cluster: SimCluster, name: str) -> SimTable:
    """Raises TableNotFoundException."""
    if name not in cluster.tables:
        raise hbase_error(e.TABLE_NOT_FOUND, name)
    return cluster.tables[name]


def table_scope(world: World, cluster: SimCluster, params: Params) -> Script:
    """The descriptor at once, the regions one after another: each stamps the new scope only once it has reopened."""
    table = table_of(cluster, params["table"])
    missing = sorted(params["scopes"].keys() - set(table.names))
    if missing:
        raise hbase_error(e.NO_SUCH_FAMILY, f"table {table.name} has no family {', '.join(missing)}")
    current = {family.name: family.scope for family in table.descriptor.families}
    if all(current[name] == scope for name, scope in params["scopes"].items()):
        return same("every family has that scope")
    yield 0.2
    table.set_scopes(params["scopes"])
    cluster.changes += 1
    yield from _reopen(table)
    return done()


def _reopen(table: SimTable) -> Script:
    for region in table.regions:
        yield 1.8 / len(table.regions)
        _fresh(table, region)


def _fresh(table: SimTable, region: Region) -> None:
    region.scopes = table.descriptor.scope_mask
    region.writes = 0


def table_major_compaction(world: World, cluster: SimCluster, params: Params) -> Script:
    table = table_of(cluster, params["table"])
    if table.descriptor.major_compaction == params["value"]:
        return same("it has that value")
    yield 0.2
    table.descriptor = replace(table.descriptor, major_compaction=params["value"])
    cluster.changes += 1
    yield from _reopen(table)
    return done()


def table_enable(world: World, cluster: SimCluster, params: Params) -> Script:
    table = table_of(cluster, params["table"])
    yield 1.2
    if table.enabled:
        return same(f"table {table.name} is enabled")
    table.enabled = True
    cluster.changes += 1
    for region in table.regions:
        _fresh(table, region)
    return done()


def table_disable(world: World, cluster: SimCluster, params: Params) -> Script:
    table = table_of(cluster, params["table"])
    yield 1.2
    if not table.enabled:
        return same(f"table {table.name} is disabled")
    table.enabled = False
    table.flush()
    cluster.changes += 1
    return done()


def table_drop(world: World, cluster: SimCluster, params: Params) -> Script:
    if params["table"] not in cluster.tables:
        return same(f"no table {params['table']}")
    if cluster.tables[params["table"]].enabled:
        raise hbase_error(e.TABLE_NOT_DISABLED, params["table"])
    yield 1.5
    world.archive_files(cluster, cluster.drop_table(params["table"]))
    return done()


def table_delete_families(world: World, cluster: SimCluster, params: Params) -> Script:
    """Whole families with their cells go; a table keeps at least one."""
    table = table_of(cluster, params["table"])
    gone = [name for name in params["families"] if name in table.names]
    if not gone:
        return same("it has none of these families")
    if len(gone) == len(table.names):
        raise hbase_error(
            e.DO_NOT_RETRY,
            "Table should have at least one column family. Set hbase.table.sanity.checks to false at conf or table "
            "descriptor if you want to bypass sanity checks",
        )
    yield 0.2
    table.drop_families(gone)
    cluster.changes += 1
    yield from _reopen(table)
    return done()


# ---- canary rows


def canary_write(world: World, cluster: SimCluster, params: Params) -> Script:
    """One row through every server's WAL that holds a region of the table."""
    table = _writable(cluster, params["table"])
    if params["family"] not in table.names:
        raise hbase_error(e.NO_SUCH_FAMILY, f"Column family {params['family']} does not exist in region "
                                            f"of table {table.name}")  # fmt: skip
    families = 1 << table.names.index(params["family"])
    yield 0.02
    rows = []
    places = {cluster.servers[region.server].name: region for region in reversed(table.regions)}
    for _, region in sorted(places.items()):
        key = region.start_key + CANARY + params["id"].encode()
        cluster.write(table, table.keys.id_of(key, table.loaded), PUT, families, world.now_ms)
        rows.append(canary_row(cluster, table, key.hex()))
    written = {row["row_hex"] for row in rows}
    keys = (region.start_key + CANARY + params["id"].encode() for region in table.regions)
    left = (canary_row(cluster, table, key.hex()) for key in keys if key.hex() not in written)
    return items([*rows, *(row for row in left if row["present"])])


def canary_delete(world: World, cluster: SimCluster, params: Params) -> Script:
    if any(CANARY not in bytes.fromhex(row) for row in params["rows"]):
        raise hbase_error(e.BAD_REQUEST, "one of these rows is no canary row")
    table = _writable(cluster, params["table"])
    yield 0.02
    found = [table.keys.id_of(bytes.fromhex(row), table.loaded) for row in params["rows"]]
    present = [row for row in found if table.rows.exists(row)]
    for row in present:
        cluster.write(table, row, DELETE, table.all_mask, world.now_ms)
    note = f"{len(present)} of {len(found)} rows deleted"
    return done(note) if present else same(note)


def _writable(cluster: SimCluster, name: str) -> SimTable:
    table = table_of(cluster, name)
    if not table.enabled:
        raise hbase_error(e.TABLE_NOT_ENABLED, name)
    if cluster.full:
        raise hbase_error(e.RETRIES, f"Failed 1 action: {name}: 1 time, servers with issues: "
                                     f"{cluster.servers[0].name}")  # fmt: skip
    return table


TABLE_CHANGES: Mapping[str, Change] = {
    "table.scope": table_scope, "table.major_compaction": table_major_compaction, "table.enable": table_enable,
    "table.disable": table_disable, "table.drop": table_drop, "table.delete_families": table_delete_families,
    "canary.write": canary_write, "canary.delete": canary_delete,
}  # fmt: skip
