"""A migration on the embedded pair, taken up again as often as a test likes: same clusters, same journal.

The settings' target decides what the pair is: two clusters, or a cluster and a Bigtable instance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded import demo_settings, embedded_pair
from hbase_ferry.cluster.simulator.embedded_bigtable import (
    BIGTABLE,
    CUSTOMERS,
    demo_bigtable_settings,
    embedded_bigtable,
)
from hbase_ferry.cluster.simulator.instance import InstanceTable
from hbase_ferry.cluster.simulator.instance_wire import SimulatedInstanceWire
from hbase_ferry.cluster.simulator.rows import compare
from hbase_ferry.cluster.simulator.scanning import ordered
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.wire import SimulatedWire
from hbase_ferry.cluster.wire import Wire
from hbase_ferry.migration.bigtable.settings import BackfillSettings, CompareSettings
from hbase_ferry.migration.journal import Journal
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import Settings
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind, Json

START = 1_750_000_000.0
ORDERS = "shop:orders"


class Crossing:
    """The pair, its clock and a journal; `service()` is a new process looking at them."""

    def __init__(self, folder: Path, settings: Settings | None = None, seed: int = 7) -> None:
        self.clock = SteppingClock(START)
        self.settings = settings or demo_settings()
        pair = embedded_bigtable if self.settings.target.kind == "bigtable" else embedded_pair
        self.world = pair(seed, self.clock)
        self.folder, self.run_id = folder, "00c0de"
        self.wrap: Callable[[Side, Wire], Wire] = lambda _side, wire: wire

    def service(self, *, acting: bool = True) -> MigrationService:
        clusters = {
            side: Cluster(
                side, self.settings.side(side).name, partial(self._wire, side), self.clock, side_by_side=False
            )
            for side in Side
        }
        journal = Journal(self.folder / "m.journal", self.settings.name, self.run_id)
        service = MigrationService(
            self.settings, clusters, journal, clock=self.clock, acting=acting, side_by_side=False
        )
        service.subscribe(self._follow)
        return service

    def _wire(self, side: Side) -> Wire:
        if side in self.world.clusters:
            return self.wrap(side, SimulatedWire(self.world, side))
        return self.wrap(side, SimulatedInstanceWire(self.world))

    def _follow(self, event: Event) -> None:
        if event.kind is EventKind.STEP_STARTED and event.step == "stop-writers":
            self.world.stop_writers()

    def gates(self, **changes: object) -> None:
        """Other thresholds for this crossing."""
        self.settings = dataclasses.replace(
            self.settings,
            gates=dataclasses.replace(self.settings.gates, **changes),  # type: ignore[arg-type]
        )

    def differences(self, table: str = ORDERS) -> int:
        """Rows that differ between the simulated tables themselves, whatever any tool says."""
        here = self.world.clusters[Side.SOURCE].tables[table]
        if self.world.instance is not None:
            return len(unlike(here, self.world.instance.tables[table]))
        there = self.world.clusters[Side.TARGET].tables[table].rows
        return len(compare(here.rows, there, there.families).rows)


def unlike(here: SimTable, there: InstanceTable) -> list[bytes]:
    """Keys of the rows whose newest cells differ. Older ones stay in the instance until it collects its garbage."""
    ours = {
        key: cells
        for key, row in ordered(here)
        if (cells := [(f, q, ms * 1000, value) for f, q, ms, value in here.rows.shown(row, tuple(there.families))])
    }
    theirs = {key: sorted(cells) for key, cells in there.scan(b"", b"", (), 1)}
    return sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))


def bigtable_settings(*tables: str, **bigtable: Any) -> Settings:
    """A migration to the instance in ranges small enough that there are several; no table named: the small one."""
    backfill, compared = BackfillSettings(rows_per_range=700), CompareSettings(rows_per_range=300)
    own = dataclasses.replace(BIGTABLE, **{"backfill": backfill, "compare": compared, **bigtable})
    return demo_bigtable_settings(tables=tables or (CUSTOMERS,), bigtable=own, poll_seconds=3.0)


def run(service: MigrationService, until: str = "") -> list[Event]:
    """Every step in order, each confirmed as its preview asks; up to and including `until`."""
    events: list[Event] = []
    for step in service.plan.steps:
        events.extend(service.execute(step.id, service.preview(step.id).confirmation.expected))
        if step.id == until:
            break
    return events


def undo(service: MigrationService, *steps: tuple[str, str]) -> None:
    """Takes these steps back, in this order: (step id, what its confirmation has to be typed)."""
    for step, typed in steps:
        list(service.undo(step, typed))


class Meddled:
    """A wire that a test can cut before or after a call reached the cluster, and that counts what reached it."""

    def __init__(self, inner: Wire, meddle: Callable[[str, Callable[[], Json]], Json]) -> None:
        self._inner, self._meddle = inner, meddle

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        return self._meddle(method, lambda: self._inner.call(method, params, deadline))

    def close(self) -> None:
        self._inner.close()
