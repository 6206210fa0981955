"""What one more region server costs: CPU of a poll with 10, 100 and 1,000 region servers a side.

A poll here is everything the program does once a second but paint: both sides' answers parsed and validated
(`Cluster.look`), merged into the view and the history, the plan's steps judged and the peers' verdicts made. The
answers are the embedded pair's own, with as many servers as wanted: each with two replication queues and two regions
of the watched table. Answers are made before the clock runs; the wire then only parses their JSON text.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.machine import median, milliseconds
from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded import demo_settings, embedded_pair
from hbase_ferry.cluster.simulator.wire import SimulatedWire
from hbase_ferry.console.reading import Reader
from hbase_ferry.migration.journal import Journal
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.event import Json
from hbase_ferry.monitor.history import MAX_RECORDS, History
from hbase_ferry.monitor.poller import Poller

SIZES = (10, 100, 1_000)
POLLS = 30
"""Measured, each after a second of the clock, so that three of them read the slow parts too."""
LONGEST = 720
"""Polls before them, which fill the history as a console's that has run for a while: its verdicts look back."""
START = 1_750_000_000.0
TABLES = 200


def run() -> None:
    """Prints CPU a poll, and a server's share of it, for each size."""
    print(f"{'servers a side':>15}{'look':>12}{'merge':>12}{'judge':>12}{'together':>12}{'a server':>12}{'ratio':>8}")
    smallest = 0.0
    for size in SIZES:
        spent = polls(size)
        together = sum(spent.values())
        smallest = smallest or together / size
        parts = "".join(f"{milliseconds(spent[name]):>12}" for name in ("look", "merge", "judge"))
        a_server = milliseconds(together / size)
        print(f"{size:>15}{parts}{milliseconds(together):>12}{a_server:>12}{together / size / smallest:>8.2f}")
    print("CPU seconds of one core, median poll of both sides; ratio: a server's cost against that with 10 servers")


def polls(servers: int) -> dict[str, float]:
    """Median CPU seconds of one poll of both sides, by what it was spent on."""
    clock = SteppingClock(START)
    wires = {side: Enlarged(side, servers, clock) for side in Side}
    settings = demo_settings()
    clusters = {
        side: Cluster(side, settings.side(side).name, partial(_self, wires[side]), clock, side_by_side=False)
        for side in Side
    }
    service = MigrationService(settings, clusters, Journal(None, "bench", "0b0b0b"), clock=clock, side_by_side=False)
    history = History()
    spent: dict[str, list[float]] = {"look": [], "merge": [], "judge": []}

    def seen(view: ClusterView) -> None:
        begun = time.process_time()
        merged = service.accept(view)
        history.append(merged.side(view.side), merged.at)
        spent["merge"][-1] += time.process_time() - begun

    pollers = [Poller(clusters[side], partial(service.watch, side), clock, 1.0, seen) for side in Side]
    reader = Reader(service, history)
    before = min(LONGEST, 2 * MAX_RECORDS // (3 * servers))
    for _ in range(before + POLLS):
        clock.sleep(1.0)
        for wire in wires.values():
            wire.renew()
        for each in spent.values():
            each.append(0.0)
        begun = time.process_time()
        for poller in pollers:
            poller.look_once()
        looked = time.process_time()
        reader.read(service.view)
        spent["look"][-1] = looked - begun - spent["merge"][-1]
        spent["judge"][-1] = time.process_time() - looked
    return {name: median(each[before:]) for name, each in spent.items()}


def _self(wire: Enlarged) -> Enlarged:
    return wire


@dataclass
class Enlarged:
    """A wire that answers as the embedded cluster did at its start, with more servers and numbers that move on."""

    side: Side
    servers: int
    clock: SteppingClock
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._world = embedded_pair(7, self.clock, TABLES)
        self._wire = SimulatedWire(self._world, self.side)
        self._polls = 0
        self._names = [f"rs{number:04d}.example,16020,{round(START * 1000)}" for number in range(self.servers)]

    def renew(self) -> None:
        """Makes the parts that move for the next poll; the rest is asked of the embedded cluster once."""
        self._polls += 1
        now = round(self.clock.now() * 1000)
        self.texts["replication.load"] = json.dumps(_items([self._load(name, now) for name in self._names]))
        regions = [
            {"region": f"{number:032x}", "server": name, "writes": 1000 + 60 * self._polls}
            for number, name in enumerate(self._names * 2)
        ]
        self.texts["tables.writes"] = json.dumps(_items([{"table": "shop:orders", "regions": regions}]))

    def _load(self, server: str, now: int) -> dict[str, Json]:
        queues: list[Json] = [
            {
                "server": server, "peer": peer, "queue_id": peer, "recovered": False, "running": True, "size": 2,
                "age_last_shipped_ms": 120, "last_shipped_ms": now - 800, "next_to_ship_ms": None, "lag_ms": 900,
                "edits_read": 40 * self._polls, "ops_shipped": 38 * self._polls, "has_edits_since_restart": True,
            }
            for peer in ("dr_backup", "ferry_orders")
        ]  # fmt: skip
        return {"server": server, "reported_ms": now - 400, "queues": queues, "sink_age_last_applied_ms": 5,
                "sink_last_applied_ms": now - 900}  # fmt: skip

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        """The prepared answer, from its JSON text."""
        if method not in self.texts:
            answer: Any = self._wire.call(method, params, deadline)
            if method == "cluster.identity":
                answer = answer | {"servers": self._names}
            self.texts[method] = json.dumps(answer)
        parsed: Json = json.loads(self.texts[method])
        return parsed

    def close(self) -> None:
        """Nothing is held."""


def _items(found: list[Any]) -> dict[str, Json]:
    return {"items": found, "total": len(found)}
