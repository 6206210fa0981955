"""Builds the objects: which transport, which journal, which pollers. The only place that knows all layers.

Front ends hold the `Ferry` it returns: the service, the history for charts, and a subscription to finished views.
"""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_state_path

from hbase_ferry.cluster.client import Cluster
from hbase_ferry.ends import ENDS
from hbase_ferry.errors import ConfigError, Problem
from hbase_ferry.migration.journal import Journal
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import Settings, TransportKind
from hbase_ferry.migration.targets import kind_of
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.event import Event, EventKind
from hbase_ferry.model.view import View
from hbase_ferry.monitor.history import History
from hbase_ferry.monitor.poller import Poller

if TYPE_CHECKING:
    from hbase_ferry.cluster.simulator.world import World
    from hbase_ferry.cluster.wire import Wire
    from hbase_ferry.migration.sampling import Sampler

DEMO_START = 1_750_000_000.0
"""Where a simulated clock begins, epoch seconds."""


@dataclass
class Ferry:
    """One migration with everything a front end needs."""

    service: MigrationService
    history: History
    operator: str
    world: World | None = None
    "the embedded pair, where there is one"
    _pollers: list[Poller] = field(default_factory=list)
    _listeners: list[Callable[[View], None]] = field(default_factory=list)

    def start(self) -> None:
        """Starts one poller a cluster."""
        for poller in self._pollers:
            poller.start()

    def poke(self) -> None:
        """Has both pollers look now."""
        for poller in self._pollers:
            poller.poke()

    def subscribe(self, callback: Callable[[View], None]) -> Callable[[], None]:
        """Calls `callback` with each new view, on a poller's thread. Returns how to end that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def seen(self, view: ClusterView) -> None:
        """Takes a poller's finished look."""
        merged = self.service.accept(view)
        self.history.append(merged.side(view.side), merged.at)
        for listener in tuple(self._listeners):
            listener(merged)

    def close(self) -> None:
        """Ends the pollers and closes the connections. What runs in the clusters goes on."""
        for poller in self._pollers:
            poller.stop()
        self.service.close()


def build(
    settings: Settings,
    *,
    acting: bool = False,
    clock: Clock | None = None,
    world: World | None = None,
    run_id: str | None = None,
) -> Ferry:
    """The objects for one migration. Nothing connects before the first look. Raises ConfigError, FerryError."""
    clock = clock or SystemClock()
    if world is None and TransportKind.SIMULATED in (settings.source.transport, settings.target.transport):
        world = ENDS[settings.target.kind].embedded(7, clock, 0)
    stepping = world is not None and not isinstance(clock, SystemClock)
    kind = kind_of(settings)
    parts = {Side.SOURCE: kind.source_parts, Side.TARGET: kind.parts}
    clusters = {
        side: Cluster(
            side,
            settings.side(side).name,
            _connector(settings, side, world),
            clock,
            side_by_side=not stepping,
            parts=parts[side],
        )
        for side in Side
    }
    # the embedded pair's run id comes from its seed, so that two runs print the same events
    if run_id is None and world is not None:
        run_id = f"{world.seed & 0xFFFFFF:06x}"
    journal = Journal(_journal_path(settings, acting, world is not None), settings.name, run_id)
    service = MigrationService(settings, clusters, journal, clock=clock, acting=acting, side_by_side=not stepping)
    ferry = Ferry(service, History(), getpass.getuser(), world)
    ferry._pollers.extend(
        Poller(cluster, partial(service.watch, side), clock, settings.poll_seconds, ferry.seen)
        for side, cluster in clusters.items()
    )
    if world is not None:
        service.subscribe(partial(_follow, world))
    return ferry


def demo(
    seed: int = 7, *, tables: int = 0, target: str = "hbase", stepping: bool = False, acting: bool = True
) -> Ferry:
    """The embedded pair and a migration on it. `target`: a kind of `ends.ENDS`; `stepping`: a clock that moves only
    when somebody waits."""
    from hbase_ferry.cluster.simulator.clock import SteppingClock

    clock: Clock = SteppingClock(DEMO_START) if stepping else SystemClock()
    end = ENDS[target]
    world, settings = end.embedded(seed, clock, tables), end.demo()
    run_id = f"{seed % 0x1000000:06x}"
    return build(settings, acting=acting, clock=clock, world=world, run_id=run_id)


@contextlib.contextmanager
def sampler(settings: Settings, clock: Clock | None = None) -> Iterator[Sampler]:
    """Compares row samples through both sides' Thrift servers. Raises ConfigError for one not named, Unreachable."""
    from hbase_ferry.cluster.thrift import ThriftRows
    from hbase_ferry.migration.sampling import Sampler

    if settings.target.kind != "hbase":
        told = "is no HBase cluster, and a row sample reads Thrift servers: the plan's own comparisons read both sides"
        raise ConfigError([Problem(settings.file, 0, "target", told)])
    without = [side for side in Side if not settings.side(side).thrift]
    if without:
        lacks = "is not set: a row sample reads through a Thrift1 server (`hbase thrift start`); write host:port"
        raise ConfigError([Problem(settings.file, 0, f"{side}.thrift", lacks) for side in without])
    readers = {side: ThriftRows(settings.side(side).name, settings.side(side).thrift) for side in Side}
    with contextlib.ExitStack() as closing:
        for reader in readers.values():
            closing.callback(reader.close)
            reader.open()
        under_way = settings.gates.max_lag_ms / 1000
        yield Sampler(readers[Side.SOURCE], readers[Side.TARGET], clock or SystemClock(), under_way)


def _connector(settings: Settings, side: Side, world: World | None) -> Callable[[], Wire]:
    """What opens the wire of that side. The source is always a cluster."""
    chosen = settings.side(side)
    end = ENDS[chosen.kind]
    if chosen.transport is not TransportKind.SIMULATED:
        return partial(end.connect, chosen)
    if world is None:
        raise ConfigError([Problem(settings.file, 0, f"{side}.transport", "needs the embedded pair")])
    if side is Side.TARGET:
        return partial(end.simulated, world)
    from hbase_ferry.cluster.simulator.wire import SimulatedWire

    return partial(SimulatedWire, world, side)


def _journal_path(settings: Settings, acting: bool, simulated: bool) -> Path | None:
    """Where the journal lies; None keeps it in memory: for simulated clusters, and for readers without one."""
    if settings.journal:
        path = Path(settings.journal).expanduser()
    elif simulated:
        return None
    else:
        path = user_state_path("hbase-ferry") / f"{settings.name}.journal"
    return path if acting or path.exists() else None


def _follow(world: World, event: Event) -> None:
    """The embedded pair's clients do what the operator says of them: stop writing, then write to the target."""
    if event.kind is EventKind.STEP_STARTED and event.step == "stop-writers":
        world.stop_writers()
    elif event.kind is EventKind.STEP_DONE and event.step == "switch":
        world.start_writers(Side.TARGET)
