"""Views, steps and a service double for the console's tests: one migration at the moment of its export.

The double implements exactly the `console.ports` that the console may use; what it is asked to do it writes down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hbase_ferry.console import theme
from hbase_ferry.console.app import Console
from hbase_ferry.errors import Refused
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.migration.core import Action, Effect, Gate, Plan, Progress, Risk, Step, StepStatus
from hbase_ferry.migration.service import Confirmation, Preview, PreviewLine, RedButton
from hbase_ferry.migration.settings import Settings, SideSettings, TableSettings
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
    Snapshot,
    SnapshotStats,
    Table,
    Usage,
)
from hbase_ferry.model.event import Event, EventKind
from hbase_ferry.model.view import View
from hbase_ferry.monitor.history import History

NOW = 1_750_000_000.0
PEER = "ferry_orders"
SNAPSHOT = "ferry-orders-7f3a"


class FixedClock:
    """Stands still until told."""

    def __init__(self, now: float = NOW) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def identity(name: str, version: str = "2.4.17", servers: int = 3) -> Identity:
    return Identity(
        cluster_id=f"id-{name}", hbase_version=version, hadoop_version="3.3.6", rootdir=f"hdfs://{name}/hbase",
        wal_dir=f"hdfs://{name}/hbase", cluster_key=f"zk-{name}:2181:/hbase", master=f"{name}-m,16000,1",
        servers=tuple(f"{name}-rs{i},16020,1" for i in range(1, servers + 1)), dead_servers=(),
        regions_in_transition=0, balancer_on=True, replication_enabled=True, split_enabled=True, merge_enabled=True,
        user="mli", time_ms=int(NOW * 1000),
    )  # fmt: skip


def family(name: str = "d", scope: int = 0) -> Family:
    return Family(name, scope, "SNAPPY", "NONE", 1, 2_147_483_647, "FALSE", False)


def table(name: str, *, enabled: bool = True, regions: int = 8, scope: int = 0) -> Table:
    return Table(name, enabled, regions, (family("d", scope), family("m", scope)))


def queue(server: str, peer: str, size: int) -> ReplicationQueue:
    return ReplicationQueue(server, peer, peer, False, True, size, 0, 0, None, 0, None, None, None)


def seen(value: Any, at: float = NOW) -> Observed[Any]:
    return Observed(value, at)


def source(tables: int = 12, now: float = NOW) -> ClusterView:
    who = identity("prod-bj")
    peers = (
        Peer(PEER, False, "zk-emr6:2181:/hbase", "", False, {"orders": ()}),
        Peer("dr_backup", True, "zk-dr1:2181:/hbase", "", True),
    )
    loads = tuple(
        ServerLoad(server, int(now * 1000), (queue(server, PEER, 7), queue(server, "dr_backup", 1)))
        for server in who.servers
    )
    some = tuple(table(f"app:table_{i:03d}") for i in range(tables - 1))
    wals, old = Usage("/hbase/WALs", 3 << 30, 9 << 30, 31), Usage("/hbase/oldWALs", 5 << 30, 15 << 30, 44)
    archive = Usage("/hbase/archive", 1 << 30, 3 << 30, 80)
    disk = Disk("hdfs://prod-bj", 600 << 30, 410 << 30, 190 << 30, wals, old, archive)
    snaps = (
        Snapshot(SNAPSHOT, "orders", int((now - 130) * 1000), "FLUSH", 0, "mli"),
        Snapshot("nightly-2026-11-20", "orders", int((now - 80_000) * 1000), "FLUSH", 0, "backup"),
    )
    stats = (SnapshotStats(SNAPSHOT, 61, 49_387_929, 0, 0, False, 0),)
    return ClusterView(
        Side.SOURCE, "prod-bj", seen(who, now), seen(("default", "app"), now),
        seen((table("orders", scope=1), *some), now), seen((), now), seen(peers, now), seen(loads, now),
        seen(snaps, now), seen(stats, now), seen(disk, now),
    )  # fmt: skip


def target(tables: int = 4, now: float = NOW) -> ClusterView:
    some = tuple(table(f"app:table_{i:03d}", enabled=i != 2) for i in range(tables))
    disk = Disk("hdfs://emr6", 900 << 30, 90 << 30, 810 << 30, Usage("/hbase/WALs", 0, 0, 3),
                Usage("/hbase/oldWALs", 0, 0, 0), Usage("/hbase/archive", 30 << 20, 90 << 20, 9))  # fmt: skip
    return ClusterView(
        Side.TARGET, "emr6", seen(identity("emr6", "2.6.1"), now), seen(("default", "app"), now), seen(some, now),
        seen((), now), seen((), now), seen((), now), seen((), now), seen((), now), seen(disk, now),
    )  # fmt: skip


def view(now: float = NOW, tables: int = 12) -> View:
    return View(now, source(tables, now), target(max(4, tables - 8), now))


def unreachable(cluster: ClusterView, since: float, error: str = "emr6: no answer to ping within 15 s") -> ClusterView:
    """Every part keeps its value of `since` and carries the error."""
    parts = ("identity", "namespaces", "tables", "writes", "peers", "load", "snapshots", "stats", "disk")
    return replace(cluster, **{p: replace(getattr(cluster, p), at=since, error=error) for p in parts})


@dataclass(frozen=True)
class Fixed(Step):
    """A step whose state is what the test says."""

    commands: tuple[Action, ...] = ()
    is_done: bool | None = False
    closed: tuple[Gate, ...] = ()
    how_far: Progress | None = None
    under_way: bool = False

    def effects(self, view: View) -> tuple[Effect, ...]:
        return tuple(Effect(each, (self.under_way and n == 0) or self.is_done)
                     for n, each in enumerate(self.commands))  # fmt: skip

    def gates(self, view: View) -> tuple[Gate, ...]:
        return self.closed

    def done(self, view: View) -> bool | None:
        return self.is_done

    def waiting_for(self, view: View) -> str | None:
        return "the job to end" if self.under_way else None

    def progress(self, view: View) -> Progress | None:
        return self.how_far

    def undo(self, view: View) -> tuple[Action, ...]:
        return self.commands[:1] if self.is_done or self.under_way else ()


def action(command: str, side: Side = Side.SOURCE, risk: Risk = Risk.REVERSIBLE, touches: str = "") -> Action:
    return Action(side, "peer.add", {}, command, touches or f"what {command.split()[0]} touches", risk)


EXPORT = (
    "hbase org.apache.hadoop.hbase.snapshot.ExportSnapshot -Dmapreduce.job.name=ferry-7f3a-orders "
    f"-snapshot {SNAPSHOT} -copy-to hdfs://emr6:8020/hbase -mappers 8 -bandwidth 100"
)


def plan(current: int = 4, **changes: Any) -> Plan:
    """Ten steps; those before index `current` are done. `changes` are fields of the current one."""
    specs: list[tuple[str, str, Risk, str, str]] = [
        ("preflight", "check both clusters", Risk.SAFE, "", ""),
        ("add-peer", f"add peer {PEER}, DISABLED", Risk.REVERSIBLE, f"add_peer '{PEER}', STATE => 'DISABLED'", PEER),
        ("scope:orders", "replicate orders", Risk.REVERSIBLE, "alter 'orders', REPLICATION_SCOPE => 1", ""),
        ("snapshot:orders", "snapshot orders", Risk.REVERSIBLE, f"snapshot 'orders', '{SNAPSHOT}'", ""),
        ("export:orders", "export orders", Risk.REVERSIBLE, EXPORT, ""),
        ("restore:orders", "restore orders on emr6", Risk.REVERSIBLE, f"restore_snapshot '{SNAPSHOT}'", "orders"),
        ("enable-peer", f"enable peer {PEER}", Risk.REVERSIBLE, f"enable_peer '{PEER}'", ""),
        ("stop-writers", "stop the writers", Risk.CUTOVER, "stop the writers", "orders to emr6"),
        ("remove-peer", f"remove peer {PEER}", Risk.DESTRUCTIVE, f"remove_peer '{PEER}'", PEER),
        ("put-back", "put changed settings back", Risk.REVERSIBLE, "alter 'orders', REPLICATION_SCOPE => 0", ""),
    ]
    steps: list[Step] = []
    for index, (step_id, title, risk, command, name) in enumerate(specs):
        step = Fixed(
            id=step_id, title=title, why=f"because {title} comes before what follows it", risk=risk,
            lane="orders" if ":" in step_id else "", undo_note="writes made meanwhile stay" if index in (1, 5) else "",
            confirm_name=name, commands=(action(command, risk=risk),) if command and risk is not Risk.SAFE else (),
            is_done=index < current,
        )  # fmt: skip
        steps.append(replace(step, **changes) if index == current else step)
    return Plan(tuple(steps), ("orders",))


SETTINGS = Settings(
    "orders-to-emr6", SideSettings("prod-bj"), SideSettings("emr6"), (TableSettings("orders"),), PEER, poll_seconds=1.0
)


class Service:
    """The service as the console sees it. `calls` is what was asked for; `hold` keeps an action running."""

    def __init__(self, plan_: Plan | None = None, *, acting: bool = True, seen_: View | None = None) -> None:
        self.settings, self.plan, self.acting = SETTINGS, plan_ or plan(), acting
        self.view, self.clock = seen_ or view(), FixedClock()
        self.calls: list[tuple[str, ...]] = []
        self.hold: threading.Event | None = None
        self.log: list[Event] = [
            Event(1, NOW - 300, EventKind.STEP_DONE, "preflight", "14 checks, none failed"),
            Event(2, NOW - 280, EventKind.SENT, "add-peer", f"peer {PEER} added, DISABLED"),
            Event(3, NOW - 130, EventKind.STEP_DONE, "snapshot:orders", f"snapshot {SNAPSHOT}: 8 regions, 47.1 MB"),
        ]
        self.causes_: tuple[Cause, ...] = ()
        self._listeners: list[Callable[[Event], None]] = []

    def status(self, seen_: View | None = None) -> tuple[StepStatus, ...]:
        return self.plan.status(seen_ or self.view)

    def causes(self, seen_: View | None = None) -> tuple[Cause, ...]:
        return self.causes_

    def preview(self, step_id: str, seen_: View | None = None) -> Preview:
        view_ = seen_ or self.view
        step = self.plan.step(step_id)
        status = next(each for each in self.plan.status(view_) if each.step is step)
        lines = tuple(
            PreviewLine(e.action.side, e.action.command, e.action.touches, e.done, e.action.risk, e.action.unknown)
            for e in step.effects(view_)
        )
        return Preview(step, status, lines, step.gates(view_), step.undo(view_), step.undo_note,
                       self._confirmation(step), Confirmation("yes", "", f"takes back: {step.title}"))  # fmt: skip

    def _confirmation(self, step: Step) -> Confirmation:
        if step.risk is Risk.SAFE:
            return Confirmation("none", "", "")
        if step.risk is Risk.REVERSIBLE:
            return Confirmation("yes", "", f"{step.title} on prod-bj")
        return Confirmation("type", step.confirm_name, f"{step.title}: this cannot be taken back")

    def execute(self, step_id: str, confirmation: str = "", stop: threading.Event | None = None) -> Iterator[Event]:
        self.calls.append(("execute", step_id, confirmation))
        return self._work(step_id)

    def undo(self, step_id: str, confirmation: str = "", stop: threading.Event | None = None) -> Iterator[Event]:
        self.calls.append(("undo", step_id, confirmation))
        return self._work(step_id)

    def remove_peer_now(self, peer_id: str, confirmation: str, stop: Any = None) -> Iterator[Event]:
        self.calls.append(("remove", peer_id, confirmation))
        return self._work("red-button")

    def _work(self, step_id: str) -> Iterator[Event]:
        yield self.emit(EventKind.STEP_STARTED, step_id, f"{step_id} begins")
        if self.hold is not None:
            self.hold.wait(60)
        yield self.emit(EventKind.STEP_DONE, step_id, f"{step_id} is done")

    def emit(self, kind: EventKind, step: str, text: str) -> Event:
        event = Event(len(self.log) + 1, self.clock.now(), kind, step, text)
        self.log.append(event)
        for listener in tuple(self._listeners):
            listener(event)
        return event

    def waive(self, gate: str, reason: str) -> Event:
        if len(reason) < 3:
            raise Refused("a reason is needed")
        self.calls.append(("waive", gate, reason))
        return self.emit(EventKind.WAIVED, "", f"gate {gate} waived: {reason}")

    def red_button(self, peer_id: str, seen_: View | None = None) -> RedButton:
        view_ = seen_ or self.view
        return RedButton(
            peer_id, view_.source.peer(peer_id) is not None,
            (f"18 closed WALs held for {peer_id} are dropped: every write in them is missing on emr6 for good",),
            ("about 24.0 GB of 600 GB comes back, within 11 min (log cleaner every 600 s)",),
            (f"remove_peer '{peer_id}'",), Confirmation("type", peer_id, f"type {peer_id} to remove it from prod-bj"),
        )  # fmt: skip

    def events(self, after: int = 0) -> tuple[Event, ...]:
        return tuple(event for event in self.log if event.number > after)

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)


@dataclass
class Ferry:
    """What `wiring` would have built, without pollers."""

    service: Service = field(default_factory=Service)
    history: History = field(default_factory=History)
    operator: str = "mli"
    pokes: int = 0
    listeners: list[Callable[[View], None]] = field(default_factory=list)
    closing: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.history.append(self.service.view.source)

    def start(self) -> None: ...

    def poke(self) -> None:
        self.pokes += 1

    def subscribe(self, callback: Callable[[View], None]) -> Callable[[], None]:
        self.listeners.append(callback)
        return lambda: self.listeners.remove(callback)

    def show(self, seen_: View) -> None:
        """As a poller would: a new view for everybody."""
        self.service.view = seen_
        self.history.append(seen_.source)
        for listener in self.listeners:
            listener(seen_)

    def close(self) -> None:
        self.closing()


def console(
    ferry: Ferry | None = None, *, name: str = "dark", ascii_only: bool = False, type_ahead: float = 0.0
) -> Console:
    """A console that paints only when told to, with charts from the start and a still cursor."""
    return Console(
        ferry or Ferry(), theme.load(name), ascii_only=ascii_only, tick=0, type_ahead=type_ahead, charts_at_once=True
    )
