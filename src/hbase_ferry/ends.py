"""How a target of each kind is reached, simulated and shown: one entry a kind, as `migration.targets` has one above the
wire. A further kind of target is a further entry in both.

Nothing is imported before it is needed: a look at one kind does not load the libraries of another. Called by `wiring`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hbase_ferry.model.cluster import Side

if TYPE_CHECKING:
    from hbase_ferry.cluster.simulator.world import World
    from hbase_ferry.cluster.wire import Wire
    from hbase_ferry.migration.settings import Settings, SideSettings
    from hbase_ferry.model.clock import Clock


@dataclass(frozen=True)
class End:
    """One kind of target below the wire."""

    connect: Callable[[SideSettings], Wire]
    "the real one; raises Unreachable, and ConfigError for what is not installed"
    simulated: Callable[[World], Wire]
    "the target of the embedded pair"
    embedded: Callable[[int, Clock, int], World]
    "seed, clock and number of further tables -> the embedded pair"
    demo: Callable[[], Settings]
    "a migration on it"


# ---- an HBase cluster


def _agent(side: SideSettings) -> Wire:
    from hbase_ferry.cluster.connection import connect

    return connect(side)


def _simulated_cluster(world: World) -> Wire:
    from hbase_ferry.cluster.simulator.wire import SimulatedWire

    return SimulatedWire(world, Side.TARGET)


def _two_clusters(seed: int, clock: Clock, tables: int) -> World:
    from hbase_ferry.cluster.simulator.embedded import embedded_pair

    return embedded_pair(seed, clock, tables)


def _between_clusters() -> Settings:
    from hbase_ferry.cluster.simulator.embedded import demo_settings

    return demo_settings()


# ---- a Bigtable instance


def _instance(side: SideSettings) -> Wire:
    from hbase_ferry.cluster.bigtable.connect import connect_instance

    assert side.bigtable is not None, "a side of this kind has these settings"
    return connect_instance(side.name, side.bigtable)


def _simulated_instance(world: World) -> Wire:
    from hbase_ferry.cluster.simulator.instance_wire import SimulatedInstanceWire

    return SimulatedInstanceWire(world)


def _cluster_and_instance(seed: int, clock: Clock, tables: int) -> World:
    from hbase_ferry.cluster.simulator.embedded_bigtable import embedded_bigtable

    return embedded_bigtable(seed, clock, tables)


def _to_instance() -> Settings:
    from hbase_ferry.cluster.simulator.embedded_bigtable import demo_bigtable_settings

    return demo_bigtable_settings()


ENDS: Mapping[str, End] = {
    "hbase": End(_agent, _simulated_cluster, _two_clusters, _between_clusters),
    "bigtable": End(_instance, _simulated_instance, _cluster_and_instance, _to_instance),
}
"""By kind, as in `SideSettings.kind`."""
