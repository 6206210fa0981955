"""Views of a source with Google's library on it: the lab's /jmx transcripts and small builders around them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from insight_views import FIXTURES, RS1, T0, family, peer, queue, source, table

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.library import endpoint_class
from hbase_ferry.model.cluster import ClusterView, Identity, Observed, Peer, ReplicationQueue, ServerFacts, Side, Table

JAR = "bigtable-hbase-2.x-replication-2.20.0.jar"
MASTER = "m1,16000,1"
LAB = "localhost,25020,1795217619556"
"""The region server of the lab's transcripts from real-incompatible on: one life of one server."""
SITE = {
    library.PROJECT: "lab-project",
    library.INSTANCE: "lab-instance",
    library.APP_PROFILE: "migration-single",
    library.KEY_FILE: "/etc/hbase/key.json",
}


def bean(name: str) -> dict[str, int]:
    """The replication bean of a transcript, as the agent hands it on: the names asked for, numbers only."""
    whole = json.loads((FIXTURES / f"bigtable-jmx-{name}.json").read_text())["beans"][0]
    asked = set(library.SERVER_METRICS)
    return {k: v for k, v in whole.items() if k.rpartition(".")[2] in asked and isinstance(v, int)}


def metrics(peer_id: str = "ferry", **values: int) -> dict[str, int]:
    """A live queue's values; without retries unless `tried` says more than was read."""
    tried, read = values.pop("tried", 10), values.pop("read", 10)
    found = {
        library.SHIPPED: 10,
        library.READ: read,
        library.FILTERED: 0,
        library.INITIALIZING: 0,
        library.LOG_QUEUE: 1,
        library.HFILE_REFS: 0,
        library.ELIGIBLE_ENTRIES[0]: tried,
        library.DROPPED: 0,
        library.INCOMPATIBLE: 0,
        library.INCOMPATIBLE_DELETES: 0,
        library.OVERFLOW: 0,
        library.FUTURE_PUTS: 0,
    } | values
    return {f"source.{peer_id}.{name}": value for name, value in found.items()}


def page(
    seconds: float = 0,
    values: Mapping[str, int] | None = None,
    *,
    server: str = RS1,
    role: str = "region server",
    jars: Sequence[str] = (JAR,),
    error: str = "",
    **settings: str,
) -> ServerFacts:
    """One server's pages `seconds` after T0; `settings` by the last word of a key (`abort="false"`)."""
    named = {key.rpartition(".")[2]: key.removeprefix("?") for key in library.SERVER_SETTINGS}
    named |= {"bulkload": library.BULK_LOADS, "base_config": library.BASE_CONFIG, "project": library.PROJECT,
              "keyfile": library.KEY_FILE}  # fmt: skip
    site = dict(SITE) | {named[name]: value for name, value in settings.items()}
    if error:
        return ServerFacts(server, role, int((T0 + seconds) * 1000), error=error)
    kept = {key: value for key, value in site.items() if value}
    return ServerFacts(server, role, int((T0 + seconds) * 1000), kept, dict(values or {}), tuple(jars))


def bigtable_peer(peer_id: str = "ferry", **changes: Any) -> Peer:
    """A peer with Google's endpoint."""
    return peer(peer_id, **({"endpoint": endpoint_class(2), "cluster_key": ""} | changes))


def look(
    seconds: float,
    *pages: ServerFacts,
    queues: Sequence[ReplicationQueue] = (),
    peers: Sequence[Peer] | None = None,
    tables: Sequence[Table] | None = None,
    **more: Any,
) -> ClusterView:
    """One look at the source: its servers' pages beside what every look has."""
    live = [facts.server for facts in pages if facts.role != "master"] or [RS1]
    held = queues or tuple(queue(server) for server in live)
    parts: dict[str, Any] = {"tables": Observed(tuple(tables) if tables is not None else (table(),), T0 + seconds)}
    version = more.pop("version", "2.6.4-hadoop3")
    seen = source(seconds, *held, peers=peers or (bigtable_peer(),), servers=live, version=version, **(parts | more))
    return dataclasses.replace(seen, servers=Observed(pages, T0 + seconds))


def instance(*tables: Table, settings: Mapping[str, str] | None = None, **parts: Any) -> ClusterView:
    """The target: an instance with these tables, on which nothing is wrong."""
    told = {
        "instance.state": "READY", "clusters": "c1", "cluster.c1.state": "READY",
        "profiles": "default,migration-single", "profile.migration-single.routing": "single:c1",
        "profile.default.routing": "multi", "permission.bigtable.tables.mutateRows": "granted",
    }  # fmt: skip
    who = Identity(
        "projects/lab-project/instances/lab-instance", "", "", "", "", "", "", (), (), 0, None, True, None, None, "me",
        int(T0 * 1000), told if settings is None else settings, "Cloud Bigtable",
    )  # fmt: skip
    fields: dict[str, Any] = {"identity": Observed(who, T0), "tables": Observed(tables, T0)}
    return ClusterView(Side.TARGET, "lab-instance", parts=("identity", "tables"), **(fields | parts))


def there(name: str = "orders", *families: str) -> Table:
    """A table of the instance."""
    return table(name, families=[family(each) for each in families or ("d",)])
