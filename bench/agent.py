"""A read through the agent that runs already, against the same read in a JVM started for it.

The one-shot JVM is what every command typed into `hbase shell -n` pays, without the shell's own start on top of it:
the ratio is a lower bound. Runs on the lab, or on a standalone HBase 2.4.18.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from bench.machine import median, milliseconds
from bench.servers import one_shot, opened, some_server
from hbase_ferry.cluster.client import MAX_ITEMS, Cluster
from hbase_ferry.model.event import Json

READS = 50
WARM_UP = 20
ONE_SHOTS = 2


def run() -> None:
    """Prints p50 of each read method both ways."""
    with some_server() as (name, side):
        cluster = opened(side)
        try:
            begun = time.monotonic()
            identity = cluster.call("cluster.identity", {"settings": []})
            print(f"on {name}, HBase {identity.hbase_version}; agent started in {time.monotonic() - begun:.1f} s")
            print(f"{'read':22}{'agent p50':>12}{'one-shot p50':>15}{'ratio':>9}")
            for method, params in _calls(cluster).items():
                warm = reads(cluster, method, params)
                cold = median([one_shot(side, method, params)[0] for _ in range(ONE_SHOTS)])
                print(f"{method:22}{milliseconds(warm):>12}{milliseconds(cold):>15}{cold / warm:>8.0f}x", flush=True)
        finally:
            cluster.close()


def _calls(cluster: Cluster) -> Mapping[str, Mapping[str, Json]]:
    """Every read a poll makes, with the parameters it would have."""
    tables: list[Json] = [table.name for table in cluster.call("tables.list", {"max": 3, "names": None}).items]
    snapshots: list[Json] = [each.name for each in cluster.call("snapshots.list", {"max": 3}).items]
    return {
        "ping": {},
        "cluster.identity": {"settings": []},
        "namespaces.list": {"max": MAX_ITEMS},
        "tables.list": {"max": MAX_ITEMS, "names": None},
        "tables.writes": {"names": tables},
        "peers.list": {"max": MAX_ITEMS},
        "replication.load": {"max": MAX_ITEMS},
        "snapshots.list": {"max": MAX_ITEMS},
        "snapshots.stats": {"names": snapshots},
        "hdfs.usage": {"paths": []},
        "job.list": {"prefix": "bench-"},
    }


def reads(cluster: Cluster, method: str, params: Mapping[str, Json]) -> float:
    """Median seconds of one read through the running agent, from the call to the validated answer."""
    took = []
    for number in range(WARM_UP + READS):
        begun = time.monotonic()
        cluster.call(method, params)
        if number >= WARM_UP:
            took.append(time.monotonic() - begun)
    return median(took)
