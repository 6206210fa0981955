"""The changing methods of the wire for namespaces, switches, peers and WALs: how long they take, what HBase refuses.

Each is a generator: it checks, yields the seconds that pass, and returns (changed, note). Durations are those
measured on real servers (lab-hbase.md §3.1). Where HBase answers "already so" as an error, the wire answers
`changed: false`, as the agent does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hbase_ferry.cluster.simulator import errors as e
from hbase_ferry.cluster.simulator.cluster import SimCluster
from hbase_ferry.cluster.simulator.errors import hbase_error
from hbase_ferry.cluster.simulator.reads import Params
from hbase_ferry.cluster.simulator.replication import SimPeer
from hbase_ferry.cluster.simulator.world import Script, World

Change = Callable[[World, SimCluster, Params], Script]


def same(note: str) -> dict[str, Any]:
    """The cluster already is as asked."""
    return {"changed": False, "note": note}


def done(note: str = "") -> dict[str, Any]:
    """The effect is there now."""
    return {"changed": True, "note": note}


# ---- namespaces and switches


def namespace_create(world: World, cluster: SimCluster, params: Params) -> Script:
    yield 0.3
    if params["name"] in cluster.namespaces:
        return same(f"namespace {params['name']} exists")
    cluster.namespaces.add(params["name"])
    return done()


def namespace_delete(world: World, cluster: SimCluster, params: Params) -> Script:
    name = params["name"]
    yield 0.3
    if name not in cluster.namespaces:
        return same(f"no namespace {name}")
    if name in ("default", "hbase"):
        raise hbase_error(e.CONSTRAINT, f"Reserved namespace {name} cannot be removed.")
    inside = sum(1 for table in cluster.tables if table.startswith(f"{name}:"))
    if inside:
        raise hbase_error(
            e.CONSTRAINT, f"Only empty namespaces can be removed. Namespace {name} has {inside} tables"
        )
    cluster.namespaces.discard(name)
    return done()


def switch_split_merge(world: World, cluster: SimCluster, params: Params) -> Script:
    wanted = {"split": params["split"], "merge": params["merge"]}
    yield 0.1
    if cluster.switches == wanted:
        return same("both are so")
    cluster.switches = wanted
    return done()


# ---- peers


def peer_add(world: World, cluster: SimCluster, params: Params) -> Script:
    """Born DISABLED; every live server has the queue when it returns."""
    new = SimPeer(params["id"], params["cluster_key"], {t: tuple(f) for t, f in params["table_cfs"].items()},
                  enabled=False, bandwidth=params["bandwidth"], serial=params["serial"],
                  endpoint=params["endpoint"] or "", config=params["config"] or {})  # fmt: skip
    if "-" in new.id:
        raise hbase_error(e.DO_NOT_RETRY, f"Found invalid peer name: {new.id}")
    if new.id in cluster.peers:
        raise hbase_error(e.DO_NOT_RETRY, f"Replication peer {new.id} already exists")
    if new.endpoint:
        yield from _with_endpoint(cluster, new)
        return done()
    if new.cluster_key == cluster.cluster_key:
        raise hbase_error(e.DO_NOT_RETRY, f"Invalid cluster key: {new.cluster_key}, should not replicate to itself "
                                          "for HBaseInterClusterReplicationEndpoint")  # fmt: skip
    if new.cluster_key not in world.outside_keys and world.reaches(cluster, new.cluster_key) is None:
        yield 18.1
        raise hbase_error(e.DO_NOT_RETRY, f"Can't get peerClusterId for clusterKey={new.cluster_key}")
    yield 0.35
    cluster.peers[new.id] = new
    cluster.add_sources(new)
    return done()


def _with_endpoint(cluster: SimCluster, new: SimPeer) -> Script:
    """The master makes an object of the class, and looks at nothing else of it."""
    if new.endpoint not in cluster.endpoints:
        raise hbase_error(e.DO_NOT_RETRY, f"Can not instantiate configured replication endpoint class={new.endpoint}")
    yield 0.35
    cluster.peers[new.id] = replace(new, cluster_key=new.cluster_key or cluster.cluster_key)
    cluster.add_sources(new)


def wal_roll(world: World, cluster: SimCluster, params: Params) -> Script:
    servers = cluster.live()
    yield 0.02
    for server in servers:
        cluster.roll(server, world.now_ms)
    return done(f"{len(servers)} region servers")


def _peer(cluster: SimCluster, peer_id: str) -> SimPeer:
    if peer_id not in cluster.peers:
        raise e.peer_missing(peer_id, cluster.release)
    return cluster.peers[peer_id]


def peer_enable(world: World, cluster: SimCluster, params: Params) -> Script:
    peer = _peer(cluster, params["id"])
    yield 0.11
    if peer.enabled:
        return same(f"peer {peer.id} is enabled")
    peer.enabled = True
    for source in cluster.sources:
        if source.peer == peer.id:
            source.restart()
    return done()


def peer_disable(world: World, cluster: SimCluster, params: Params) -> Script:
    """The servers wait for their readers to stop: 0.3, 2.1 or 4.1 s."""
    peer = _peer(cluster, params["id"])
    if not peer.enabled:
        return same(f"peer {peer.id} is disabled")
    yield 0.3
    peer.enabled = False
    for source in cluster.sources:
        if source.peer == peer.id:
            source.restart()
    yield world.random.choice((0.01, 1.8, 3.8))
    return done()


def peer_remove(world: World, cluster: SimCluster, params: Params) -> Script:
    """The backlog's position is lost for good; its WALs go with the next cleaner run after their TTL."""
    if params["id"] not in cluster.peers:
        return same(f"no peer {params['id']}")
    yield 0.3 if not cluster.peers[params["id"]].enabled else 2.1
    cluster.peers.pop(params["id"], None)
    for source in [s for s in cluster.sources if s.peer == params["id"]]:
        cluster.drop_source(source)
    return done()


CHANGES: Mapping[str, Change] = {
    "namespace.create": namespace_create, "namespace.delete": namespace_delete,
    "switch.split_merge": switch_split_merge, "peer.add": peer_add, "peer.enable": peer_enable,
    "peer.disable": peer_disable, "peer.remove": peer_remove, "wal.roll": wal_roll,
}  # fmt: skip
