"""The reading methods of the wire that answer pages: the servers' own information pages, and pages of rows.

What a server's pages show is its site file, `SimCluster.pages` (or `own_pages`) and the replication bean as it was last
sampled. Called by `wire` through `PAGES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hbase_ferry.cluster.simulator.cluster import SimCluster
from hbase_ferry.cluster.simulator.errors import NO_SUCH_FAMILY, TABLE_NOT_ENABLED, TABLE_NOT_FOUND, hbase_error
from hbase_ferry.cluster.simulator.reads import Params, Read, items
from hbase_ferry.cluster.simulator.scanning import page_of
from hbase_ferry.cluster.simulator.world import World


def servers(world: World, cluster: SimCluster, params: Params) -> Any:
    """The master first; counters are the region servers'."""
    found = [_facts(world, cluster, cluster.master, "master", {}, params)]
    for server in sorted(cluster.live(), key=lambda server: server.name):
        found.append(_facts(world, cluster, server.name, "region server", server.bean, params))
    return items(found, params["max"])


def _facts(
    world: World, cluster: SimCluster, name: str, role: str, bean: Mapping[str, int], asked: Params
) -> dict[str, Any]:
    host = name.split(",")[0]
    pages = cluster.own_pages.get(host, cluster.pages)
    facts: dict[str, Any] = {"server": name, "role": role, "at_ms": world.now_ms + cluster.skew_ms, "error": "",
                             "settings": {}, "metrics": {}, "jars": []}  # fmt: skip
    if pages.error:
        return facts | {"error": f"the information pages of {role} {name} could not be read: {pages.error}"}
    running = {"hbase.rootdir": cluster.area.uri, **cluster.settings, **pages.settings}
    there = [key for key in asked["settings"] if running.get(key.lstrip("?"))]
    return facts | {
        "settings": {key: "(set)" if key.startswith("?") else running[key] for key in there},
        "metrics": {name: value for name, value in bean.items() if name.rpartition(".")[2] in asked["metrics"]},
        "jars": sorted({jar for jar in pages.jars for part in asked["jars"] if part in jar}),
    }


def rows(world: World, cluster: SimCluster, params: Params) -> Any:
    """A page of rows; what is asked of a table that is not there, not enabled or lacks a family is HBase's error."""
    table = cluster.tables.get(params["table"])
    if table is None:
        raise hbase_error(TABLE_NOT_FOUND, params["table"])
    if not table.enabled:
        raise hbase_error(TABLE_NOT_ENABLED, f"{table.name} is disabled.")
    for family in params["families"]:
        if family not in table.names:
            raise hbase_error(NO_SUCH_FAMILY, f"Column family {family} does not exist in region {table.name},,")
    return page_of(table, params)


PAGES: Mapping[str, Read] = {"servers.read": servers, "rows.scan": rows}
