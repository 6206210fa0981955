"""Views for the insight tests: small builders, and the loader that turns lab transcripts into our own
shape."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hbase_ferry.model.cluster import (
    ClusterView,
    Disk,
    Family,
    Identity,
    Observed,
    Peer,
    ReplicationQueue,
    ServerLoad,
    Side,
    Table,
    Usage,
)

FIXTURES = Path(__file__).parent / "fixtures"
T0 = 1_795_216_000.0
RS1, RS2, RS3 = "rs1,16020,1", "rs2,16020,1", "rs3,16020,1"


def transcript(name: str) -> list[tuple[str, ClusterView]]:
    """(the lab's word for the state, the view) of each line of a real replication-load transcript of HBase
    2.6.1."""
    found = []
    for line in (FIXTURES / name).read_text().splitlines():
        if line.strip():
            reply = json.loads(line)
            found.append((reply["state"], _transcript_view(reply)))
    return found


def _transcript_view(reply: Mapping[str, Any]) -> ClusterView:
    at = T0 + reply["t"]
    loads = tuple(_transcript_load(server) for server in reply["result"])
    ids = {queue.peer for load in loads for queue in load.queues}
    given = reply.get("peers") or [{"id": peer_id, "enabled": True} for peer_id in sorted(ids)]
    peers = tuple(peer(entry["id"], enabled=entry["enabled"]) for entry in given)
    servers = tuple(load.server for load in loads)
    return ClusterView(
        Side.SOURCE,
        "lab-source",
        identity=Observed(identity(servers=servers, version="2.6.1-hadoop3"), at),
        peers=Observed(peers, at),
        load=Observed(loads, at),
    )


def _transcript_load(server: Mapping[str, Any]) -> ServerLoad:
    queues = tuple(
        ReplicationQueue(
            server=server["server"],
            peer=source["peer"],
            queue_id=source["queue_id"],
            recovered=source["recovered"],
            running=source["running"],
            size=source["queue"],
            age_last_shipped_ms=source["age_last_shipped"],
            last_shipped_ms=source["ts_last_shipped"],
            next_to_ship_ms=source["ts_next"],
            lag_ms=source["lag"],
            edits_read=source["edits_read"],
            ops_shipped=source["ops_shipped"],
            has_edits_since_restart=source["edits_since_restart"],
        )
        for source in server["sources"]
    )
    return ServerLoad(server["server"], server["report_ts"], queues)


def identity(
    *,
    servers: Sequence[str] = (RS1, RS2, RS3),
    version: str = "2.4.17",
    cluster_id: str = "id-source",
    cluster_key: str = "zk1:2181:/hbase",
    dead: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    time_ms: int = int(T0 * 1000),
    replication: bool = True,
    rit: int = 0,
    split: bool | None = True,
) -> Identity:
    return Identity(
        cluster_id=cluster_id,
        hbase_version=version,
        hadoop_version="3.3.6",
        rootdir="hdfs://nn:8020/hbase",
        wal_dir="hdfs://nn:8020/hbase",
        cluster_key=cluster_key,
        master="m1,16000,1",
        servers=tuple(servers),
        dead_servers=tuple(dead),
        regions_in_transition=rit,
        balancer_on=True,
        replication_enabled=replication,
        split_enabled=split,
        merge_enabled=split,
        user="hbase",
        time_ms=time_ms,
        settings=dict(settings or {}),
    )


def peer(peer_id: str = "ferry", *, enabled: bool = True, **changes: Any) -> Peer:
    fields: dict[str, Any] = {
        "id": peer_id,
        "enabled": enabled,
        "cluster_key": "zk9:2181:/hbase",
        "endpoint": "",
        "replicate_all": False,
        "table_cfs": {"orders": ()},
    }
    return Peer(**(fields | changes))


def queue(server: str = RS1, peer_id: str = "ferry", **changes: Any) -> ReplicationQueue:
    fields: dict[str, Any] = {
        "server": server,
        "peer": peer_id,
        "queue_id": peer_id,
        "recovered": False,
        "running": True,
        "size": 1,
        "age_last_shipped_ms": 0,
        "last_shipped_ms": 0,
        "next_to_ship_ms": 0,
        "lag_ms": 0,
        "edits_read": 0,
        "ops_shipped": 0,
        "has_edits_since_restart": True,
    }
    return ReplicationQueue(**(fields | changes))


def load(at: float, *queues: ReplicationQueue, servers: Sequence[str] = ()) -> tuple[ServerLoad, ...]:
    """One heartbeat a server at `at`; `servers` adds some without queues."""
    names = dict.fromkeys([*servers, *(q.server for q in queues)])
    return tuple(ServerLoad(n, int(at * 1000), tuple(q for q in queues if q.server == n)) for n in names)


def source(
    seconds: float,
    *queues: ReplicationQueue,
    peers: Sequence[Peer] | None = None,
    servers: Sequence[str] | None = None,
    version: str = "2.4.17",
    **parts: Any,
) -> ClusterView:
    """The source `seconds` after T0: its peers, and a fresh heartbeat of every server."""
    at = T0 + seconds
    live = tuple(servers) if servers is not None else tuple(dict.fromkeys(q.server for q in queues)) or (RS1,)
    fields: dict[str, Any] = {
        "identity": Observed(identity(servers=live, version=version, time_ms=int(at * 1000)), at),
        "peers": Observed(tuple(peers) if peers is not None else (peer(),), at),
        "load": Observed(load(at, *queues, servers=live), at),
    }
    return ClusterView(Side.SOURCE, "prod", **(fields | parts))


def usage(path: str, size: int, *, replication: int = 3, open_wals: int = 0, files: int = 1) -> Usage:
    """A directory of closed files, and open WALs that count no bytes and whole blocks of 256 MB."""
    return Usage(path, size, size * replication + open_wals * replication * 268_435_456, files)


def disk(used: int, *, capacity: int = 1 << 40, old_wals: int = 0, open_wals: int = 0) -> Disk:
    return Disk(
        filesystem="hdfs://nn:8020",
        capacity=capacity,
        used=used,
        remaining=max(0, capacity - used),
        wals=usage("/hbase/WALs", 0, open_wals=open_wals),
        old_wals=usage("/hbase/oldWALs", old_wals),
        archive=usage("/hbase/archive", 0),
    )


def family(name: str = "d", **changes: Any) -> Family:
    fields: dict[str, Any] = {
        "name": name,
        "scope": 1,
        "compression": "NONE",
        "data_block_encoding": "NONE",
        "versions": 1,
        "ttl_seconds": 2**31 - 1,
        "keep_deleted_cells": "FALSE",
        "mob": False,
    }
    return Family(**(fields | changes))


def table(
    name: str = "orders", *, enabled: bool = True, families: Sequence[Family] = (), **more: Any
) -> Table:
    return Table(name, enabled, 8, tuple(families) or (family(),), **more)
