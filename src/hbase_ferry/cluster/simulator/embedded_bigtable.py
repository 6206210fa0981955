"""The pair of `make demo-bigtable` and of tests: the busy cluster of `embedded`, and an empty Bigtable instance.

Its tables lie in the default namespace, since an instance has no other. The source's servers run with Google's library
and the keys of this instance. Everything is derived from the seed and the clock's first reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hbase_ferry.cluster.simulator.embedded import (
    DAY_MS,
    EDIT_BYTES,
    SOURCE_NAME,
    TB,
    add_backup_peer,
    add_bystanders,
    make_cluster,
)
from hbase_ferry.cluster.simulator.endpoint import INSTANCE, PROJECT, TIMEOUT, install
from hbase_ferry.cluster.simulator.instance import SimInstance
from hbase_ferry.cluster.simulator.tables import SimFamily, make_table
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.cluster.simulator.writers import Writer
from hbase_ferry.migration.bigtable.settings import BigtableSettings
from hbase_ferry.migration.settings import Settings, SideSettings, TableSettings, TransportKind
from hbase_ferry.model.clock import Clock
from hbase_ferry.model.cluster import Side

ORDERS, CUSTOMERS = "orders", "customers"
TARGET_NAME = "bt-prod"
BIGTABLE = BigtableSettings(project="shop-prod", instance="shop-bigtable", app_profile="ferry")
KEYS: Mapping[str, str] = {
    PROJECT: BIGTABLE.project,
    INSTANCE: BIGTABLE.instance,
    "google.bigtable.app_profile.id": BIGTABLE.app_profile,
    "google.bigtable.auth.json.keyfile": "/etc/hbase/conf/bigtable.json",
    TIMEOUT: "60000",
}
"""What the source's servers run with."""
COLLECT_MS = 600_000
"""From one garbage collection of the instance to the next; the real one takes up to a week."""
_SIZES = ((ORDERS, 8, 20_000), (CUSTOMERS, 4, 4_000))


def embedded_bigtable(
    seed: int,
    clock: Clock,
    tables: int = 0,
    *,
    source_version: str = "2.4.17",
    rate: float = 300.0,
    busy: bool = True,
    keys: Mapping[str, str] = KEYS,
    library: bool = True,
) -> World:
    """A cluster with live writes (`rate` rows a second on orders) and an instance without tables.

    `tables`: that many more on the source. `busy` False: no bystander writes and no peer `dr_backup`. `keys`: what
    the servers run with; `library` False: they lack Google's jar and class.
    """
    world = World(seed, clock)
    world.outside_keys.add("zk1.dr1:2181:/hbase")
    source = make_cluster(world, Side.SOURCE, SOURCE_NAME, source_version, "2.10.2", 2 * TB)
    families = (SimFamily("d", share=0.88), SimFamily("m", share=0.12, compression="NONE"))
    for name, regions, rows in _SIZES:
        source.add_table(
            make_table(name, world.number_of(name), families, regions=regions, rows=rows, row_bytes=EDIT_BYTES,
                       edit_bytes=EDIT_BYTES, servers=len(source.servers), keys=world.keys,
                       loaded_ms=world.start_ms - DAY_MS, salt=source.cluster_id)
        )  # fmt: skip
    add_bystanders(world, source, ("audit:log", "audit:sessions", "metrics"), busy=busy)
    add_bystanders(world, source, [f"app{number // 20:02d}:t{number:03d}" for number in range(tables)], busy=False)
    if busy:
        add_backup_peer(source)
    path = f"projects/{BIGTABLE.project}/instances/{BIGTABLE.instance}"
    bound = {"default": None, BIGTABLE.app_profile: "asia-east1-b"}
    world.instance = SimInstance(TARGET_NAME, path, profiles=bound)
    if library:
        install(world, source, keys)
    else:
        source.pages.settings.update(keys)
    world.writers = [Writer(ORDERS, rate, f"{seed}/orders"), Writer(CUSTOMERS, rate / 10, f"{seed}/customers")]
    for server in source.servers:
        source.beat(server, world.now_ms)
        source.sample(server)
    _collect_later(world, world.instance)
    return world


def _collect_later(world: World, instance: SimInstance) -> None:
    """The instance collects its garbage now and then; nobody is told when."""

    def collect() -> None:
        for table in instance.tables.values():
            table.collect(world.now_ms * 1000)
        _collect_later(world, instance)

    world.at(world.now_ms + COLLECT_MS, collect)


def demo_bigtable_settings(
    name: str = "orders-to-bigtable",
    tables: Sequence[str] = (ORDERS,),
    *,
    peer_id: str = "ferry_orders",
    journal: str = "",
    poll_seconds: float = 1.0,
    bigtable: BigtableSettings = BIGTABLE,
) -> Settings:
    """A migration of `tables` from the embedded cluster to the embedded instance."""
    return Settings(
        name=name,
        source=SideSettings(SOURCE_NAME, TransportKind.SIMULATED),
        target=SideSettings(TARGET_NAME, TransportKind.SIMULATED, bigtable=bigtable),
        tables=tuple(TableSettings(table) for table in tables),
        peer_id=peer_id,
        journal=journal,
        poll_seconds=poll_seconds,
    )
