"""The reading methods of the wire, answered from a simulated cluster. None of them changes anything.

Each takes the world, the cluster and the call's parameters and gives the JSON-ready answer; `wire` finds them in
`READS`. Answers that only change with the tables are kept as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hbase_ferry.cluster.simulator.cluster import SimCluster
from hbase_ferry.cluster.simulator.errors import NO_JOB, TABLE_NOT_ENABLED, TABLE_NOT_FOUND, hbase_error
from hbase_ferry.cluster.simulator.hdfs import folder_of, split_uri, table_folder, usage
from hbase_ferry.cluster.simulator.jobs import absent
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.model.event import Json

_SECRET = re.compile(r"password|secret|json\.value|token", re.IGNORECASE)

Params = Mapping[str, Any]
Read = Callable[[World, SimCluster, Params], Any]


class Text(str):
    """An answer that is JSON already."""


def items(found: Iterable[Any], limit: int | None = None) -> dict[str, Any]:
    """A listing, cut at `limit`."""
    everything = list(found)
    return {"items": everything if limit is None else everything[:limit], "total": len(everything)}


def ping(world: World, cluster: SimCluster, params: Params) -> Any:
    return {"up_ms": world.now_ms - world.start_ms}


def identity(world: World, cluster: SimCluster, params: Params) -> Any:
    wanted = params.get("settings") or []
    return {
        "cluster_id": cluster.cluster_id, "hbase_version": cluster.version, "hadoop_version": cluster.hadoop,
        "rootdir": cluster.area.uri, "wal_dir": cluster.area.uri, "cluster_key": cluster.cluster_key,
        "master": cluster.master,
        "servers": sorted(server.name for server in cluster.live()), "dead_servers": list(cluster.dead),
        "regions_in_transition": sum(
            1 for t in cluster.tables.values() for r in t.regions if not cluster.servers[r.server].alive
        ),
        "balancer_on": cluster.balancer, "replication_enabled": True,
        "split_enabled": cluster.switches["split"], "merge_enabled": cluster.switches["merge"],
        "user": "hbase", "time_ms": world.now_ms + cluster.skew_ms,
        "settings": {key: cluster.settings[key] for key in wanted if key in cluster.settings},
    }  # fmt: skip


def namespaces(world: World, cluster: SimCluster, params: Params) -> Any:
    return items(sorted(cluster.namespaces), params["max"])


def tables(world: World, cluster: SimCluster, params: Params) -> Any:
    names = params.get("names")
    key = (cluster.side, cluster.changes, params["max"], None if names is None else tuple(names))
    if key not in world.answers:
        for old in [k for k in world.answers if k[0] is cluster.side and k[1] != cluster.changes]:
            del world.answers[old]
        known = sorted(cluster.tables if names is None else set(names) & cluster.tables.keys())
        found = items((_table(cluster.tables[name]) for name in known), params["max"])
        world.answers[key] = json.dumps(found)
    return Text(world.answers[key])


def _table(table: SimTable) -> dict[str, Json]:
    return {
        "name": table.name, "enabled": table.enabled, "regions": len(table.regions),
        "families": [
            {"name": f.name, "scope": f.scope, "compression": f.compression, "data_block_encoding": f.encoding,
             "versions": 1, "min_versions": 0, "ttl_seconds": f.ttl_seconds, "keep_deleted_cells": "FALSE",
             "mob": False}
            for f in table.descriptor.families
        ],
        "coprocessors": [], "durability": "USE_DEFAULT", "major_compaction": table.descriptor.major_compaction,
    }  # fmt: skip


def writes(world: World, cluster: SimCluster, params: Params) -> Any:
    """As the servers count at this moment: the agent asks each of them, not the master."""
    known = [cluster.tables[name] for name in params["names"] if name in cluster.tables]
    return items({"table": table.name, "regions": _writes(world, cluster, table)} for table in known)


def _writes(world: World, cluster: SimCluster, table: SimTable) -> list[Json]:
    if not table.enabled:
        return []
    return [
        {"region": region.encoded, "server": cluster.servers[region.server].name,
         "writes": region.writes + _bulk(world, table), "start_hex": region.start_key.hex()}
        for region in sorted(table.regions, key=lambda region: region.encoded)
        if cluster.servers[region.server].alive
    ]  # fmt: skip


def _bulk(world: World, table: SimTable) -> int:
    seconds = (world.now_ms - table.bulk_since_ms) / 1000
    return max(0, int(seconds * table.bulk_rate / len(table.regions)))


def peers(world: World, cluster: SimCluster, params: Params) -> Any:
    return items(
        ({
            "id": peer.id, "enabled": peer.enabled, "cluster_key": peer.cluster_key, "endpoint": peer.endpoint,
            "replicate_all": False,
            "table_cfs": {name: list(families) for name, families in sorted(peer.table_cfs.items())},
            "namespaces": [], "serial": peer.serial, "bandwidth": peer.bandwidth, "config": _shown(peer.config),
        } for _, peer in sorted(cluster.peers.items())),
        params["max"],
    )  # fmt: skip


def _shown(config: Mapping[str, str]) -> dict[str, str]:
    """Of what may be a secret only that it is set, as the agent does."""
    return {key: "(set)" if _SECRET.search(key) else value for key, value in config.items()}


def load(world: World, cluster: SimCluster, params: Params) -> Any:
    return items((server.heartbeat for server in cluster.live() if server.heartbeat), params["max"])


def snapshots(world: World, cluster: SimCluster, params: Params) -> Any:
    found = sorted(cluster.area.snapshots.items())
    return items(
        ({"name": name, "table": s.table, "created_ms": s.created_ms, "type": "FLUSH", "ttl_seconds": 0, "owner": ""}
         for name, s in found),
        params["max"],
    )  # fmt: skip


def stats(world: World, cluster: SimCluster, params: Params) -> Any:
    found = []
    for name in sorted(set(params["names"])):
        snapshot = cluster.area.snapshots.get(name)
        if snapshot is None:
            continue
        table = cluster.tables.get(snapshot.table)
        live = {file.key for file in table.files if not file.link} if table is not None else set()
        shared, archived, missing = cluster.area.holds(snapshot, live)
        found.append({"name": name, "files": len(snapshot.files), "bytes": shared + archived, "shared_bytes": shared,
                      "archived_bytes": archived, "corrupt": missing > 0, "missing_files": missing})  # fmt: skip
    return items(found)


def disk(world: World, cluster: SimCluster, params: Params) -> Any:
    root = cluster.area.uri
    size, space, files = cluster.wal_usage()
    old_size, old_files = cluster.old_usage()
    used = cluster.used()
    return {
        "filesystem": cluster.filesystem, "capacity": cluster.capacity, "used": used,
        "remaining": max(0, cluster.capacity - used), "wals": usage(f"{root}/WALs", size, files, space=space),
        "old_wals": usage(f"{root}/oldWALs", old_size, old_files),
        "archive": usage(f"{root}/archive", *cluster.area.archive_totals()),
        "others": [_usage(world, cluster, path) for path in params["paths"]],
    }  # fmt: skip


def _usage(world: World, cluster: SimCluster, path: str) -> dict[str, Json]:
    full = split_uri(path, cluster.filesystem)
    if full in world.hashes:
        return usage(path, world.hashes[full].bytes, 4)
    for uri, area in sorted(world.areas.items(), key=lambda entry: -len(entry[0])):
        if full == uri or full.startswith(uri + "/"):
            owner = next((c for c in world.clusters.values() if c.area is area), None)
            found = _inside(world, owner, uri, full[len(uri) + 1 :])
            return usage(path, *found) if found is not None else usage(path, 0, 0, exists=False)
    return usage(path, 0, 0, exists=False)


def _inside(world: World, owner: SimCluster | None, uri: str, rest: str) -> tuple[int, int] | None:
    area = world.areas[uri]
    if rest.startswith("archive/data/"):
        table = table_folder(rest.removeprefix("archive/data/"))
        return area.archive_totals(table) if area.archive.get(table) else None
    if rest.startswith(".hbase-snapshot/"):
        name = rest.removeprefix(".hbase-snapshot/")
        known = name.removeprefix(".tmp/") in area.tmp if name.startswith(".tmp/") else name in area.snapshots
        return (2048, 2) if known else None
    if rest in ("archive", ""):
        size, files = area.archive_totals()
        if owner is not None and not rest:
            return size + _logs_and_data(owner)[0], files + _logs_and_data(owner)[1]
        return (size, files) if owner is not None or area.archive or area.snapshots or area.tmp else None
    return _data(owner, rest) if owner is not None else None


def _logs_and_data(owner: SimCluster) -> tuple[int, int]:
    wals, _, open_files = owner.wal_usage()
    old, old_files = owner.old_usage()
    stores = [file for table in owner.tables.values() for file in table.files if not file.link]
    return wals + old + sum(file.bytes for file in stores), open_files + old_files + len(stores)


def _data(owner: SimCluster, rest: str) -> tuple[int, int] | None:
    if rest == "oldWALs":
        return owner.old_usage()
    if rest == "WALs":
        size, _, files = owner.wal_usage()
        return size, files
    found = [t for t in owner.tables.values() if f"data/{folder_of(t.name)}" == rest]
    return (found[0].bytes, len(found[0].files)) if found else None


def ports(world: World, cluster: SimCluster, params: Params) -> Any:
    """Everything is open unless the other side cannot be reached; a host nobody knows does not resolve."""
    cut = world.faults.cut_off(cluster.side.other)
    theirs = world.instance.hosts if world.instance is not None else (world.other(cluster).name,)
    known = (*theirs, *(c.name for c in world.clusters.values()))
    found = []
    for target in params["targets"]:
        host, port = str(target.get("host", "")), int(str(target.get("port", 0)))
        resolves = host.endswith(known)
        error = f"UnknownHostException: {host}" if not resolves else ""
        if resolves and cut and host.endswith(theirs):
            error = "SocketTimeoutException: connect timed out"
        found.append({"host": host, "port": port, "what": str(target.get("what", "")), "open": not error,
                      "error": error})  # fmt: skip
    return items(found)


def canary(world: World, cluster: SimCluster, params: Params) -> Any:
    table = cluster.tables.get(params["table"])
    if table is None:
        raise hbase_error(TABLE_NOT_FOUND, params["table"])
    if not table.enabled:
        raise hbase_error(TABLE_NOT_ENABLED, params["table"])
    return items(canary_row(cluster, table, row) for row in params["rows"])


def canary_row(cluster: SimCluster, table: SimTable, row_hex: str) -> dict[str, Json]:
    """A canary row as it is now, by the hex digits of its key."""
    row = table.keys.id_of(bytes.fromhex(row_hex), table.loaded)
    region = table.region_of(row)
    return {"row_hex": row_hex, "region": region.encoded, "server": cluster.servers[region.server].name,
            "present": table.rows.exists(row)}  # fmt: skip


def job_state(world: World, cluster: SimCluster, params: Params) -> Any:
    job = world.jobs.find(cluster.side, params["id"])
    return job.state() if job is not None else absent(cluster.side, params["id"])


def job_list(world: World, cluster: SimCluster, params: Params) -> Any:
    return items(job.state() for job in world.jobs.named(cluster.side, params["prefix"]))


def job_read(world: World, cluster: SimCluster, params: Params) -> Any:
    job = world.jobs.find(cluster.side, params["id"])
    if job is None:
        raise hbase_error(NO_JOB, f"no job {params['id']}")
    return job.output(params["offset"], params["max"])


READS: Mapping[str, Read] = {
    "ping": ping, "cluster.identity": identity, "namespaces.list": namespaces, "tables.list": tables,
    "tables.writes": writes, "peers.list": peers, "replication.load": load, "snapshots.list": snapshots,
    "snapshots.stats": stats, "hdfs.usage": disk, "ports.check": ports, "canary.read": canary,
    "job.state": job_state, "job.list": job_list, "job.read": job_read,
}  # fmt: skip
