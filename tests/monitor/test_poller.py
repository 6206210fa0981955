from __future__ import annotations

import queue
import threading
from collections.abc import Collection
from dataclasses import replace

from hbase_ferry.model.cluster import PARTS, ClusterView, Observed, Side
from hbase_ferry.model.watch import Watch
from hbase_ferry.monitor.poller import FAST, SLOW, Poller

BOUND = 20.0
"Seconds a test waits for another thread before it fails."


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class FakeCluster:
    """Looks that take the clock's time, or break, and remember what they were asked."""

    side = Side.SOURCE
    name = "prod"

    def __init__(self, clock: HandClock, seconds: float = 0.0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.asked: list[tuple[str, ...]] = []
        self.began: list[float] = []
        self.ended: list[float] = []
        self.inside = 0
        self.most = 0
        self.error: Exception | None = None
        self.gate: threading.Event | None = None
        self.entered = threading.Event()

    def look(
        self, watch: Watch, previous: ClusterView | None = None, parts: Collection[str] = PARTS
    ) -> ClusterView:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.asked.append(tuple(parts))
        self.began.append(self.clock.now())
        self.entered.set()
        if self.gate is not None:
            self.gate.wait(BOUND)
        self.clock.sleep(self.seconds)
        self.ended.append(self.clock.now())
        self.inside -= 1
        if self.error is not None:
            raise self.error
        base = previous or ClusterView(self.side, self.name)
        return replace(base, namespaces=Observed((f"look-{len(self.asked)}",), self.clock.now()))


class Stepper:
    """Stands in for waiting: each wait is announced and lasts until the test lets it go."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.waiting: queue.Queue[float] = queue.Queue()
        self.go: queue.Queue[bool] = queue.Queue()

    def __call__(self, wake: threading.Event, seconds: float) -> None:
        self.waiting.put(seconds)
        while not wake.is_set():
            try:
                self.go.get(timeout=0.005)
            except queue.Empty:
                continue
            self.clock.sleep(seconds)
            return

    def pass_(self) -> float:
        """Waits for the poller to wait, and lets its interval pass."""
        seconds = self.waiting.get(timeout=BOUND)
        self.go.put(True)
        return seconds


def test_the_next_look_begins_an_interval_after_the_last_one_ended() -> None:
    clock = HandClock()
    cluster, stepper = FakeCluster(clock, seconds=5.0), Stepper(clock)
    poller = Poller(cluster, Watch, clock, 3.0, lambda view: None, wait=stepper)
    poller.start()
    assert [stepper.pass_() for _ in range(4)] == [3.0] * 4
    stepper.waiting.get(timeout=BOUND)
    poller.stop()
    gaps = [began - ended for began, ended in zip(cluster.began[1:], cluster.ended, strict=False)]
    assert gaps == [3.0] * 4


def test_slow_parts_are_asked_less_often_than_fast_ones() -> None:
    clock = HandClock()
    cluster = FakeCluster(clock)
    poller = Poller(cluster, Watch, clock, 3.0, lambda view: None, slow_every=10.0)
    for _ in range(8):
        poller.look_once()
        clock.sleep(3.0)
    whole = [set(parts) == set(PARTS) for parts in cluster.asked]
    assert whole == [True, False, False, False, True, False, False, False]
    assert all(
        set(parts) == set(FAST) for parts, all_of in zip(cluster.asked, whole, strict=True) if not all_of
    )
    assert not set(FAST) & set(SLOW) and set(FAST) | set(SLOW) == set(PARTS)


def test_a_changed_watch_and_a_poke_ask_for_every_part() -> None:
    clock = HandClock()
    cluster, watches = FakeCluster(clock), [Watch()]
    poller = Poller(cluster, lambda: watches[-1], clock, 3.0, lambda view: None, slow_every=1000.0)
    poller.look_once()
    poller.look_once()
    watches.append(Watch(snapshots=("s",)))
    poller.look_once()
    poller.look_once()
    poller.poke()
    poller.look_once()
    poller.look_once()
    assert [len(parts) == len(PARTS) for parts in cluster.asked] == [True, False, True, False, True, False]


def test_a_poke_ends_the_waiting_and_each_view_builds_on_the_one_before() -> None:
    clock = HandClock()
    cluster, stepper = FakeCluster(clock), Stepper(clock)
    views: queue.Queue[ClusterView] = queue.Queue()
    poller = Poller(cluster, Watch, clock, 3600.0, views.put, wait=stepper)
    poller.start()
    assert views.get(timeout=BOUND).namespaces.value == ("look-1",)
    stepper.waiting.get(timeout=BOUND)
    poller.poke()
    assert views.get(timeout=BOUND).namespaces.value == ("look-2",)
    poller.stop()


def test_a_poke_during_a_look_is_followed_by_another_one_and_never_doubled() -> None:
    clock = HandClock()
    cluster = FakeCluster(clock)
    cluster.gate = threading.Event()
    views: queue.Queue[ClusterView] = queue.Queue()
    poller = Poller(cluster, Watch, clock, 3600.0, views.put)
    poller.start()
    assert cluster.entered.wait(BOUND)
    for _ in range(5):
        poller.poke()
    cluster.gate.set()
    assert [views.get(timeout=BOUND).namespaces.value for _ in range(2)] == [("look-1",), ("look-2",)]
    poller.stop()
    assert cluster.most == 1 and len(cluster.asked) == 2


def test_looks_from_two_threads_never_overlap() -> None:
    clock = HandClock()
    cluster = FakeCluster(clock)
    cluster.gate = threading.Event()
    poller = Poller(cluster, Watch, clock, 3.0, lambda view: None)
    threads = [threading.Thread(target=poller.look_once) for _ in range(3)]
    threads[0].start()
    assert cluster.entered.wait(BOUND)
    cluster.entered.clear()
    for thread in threads[1:]:
        thread.start()
    assert not cluster.entered.wait(0.2), "a second look began while the first was still under way"
    cluster.gate.set()
    for thread in threads:
        thread.join(BOUND)
    assert len(cluster.asked) == 3 and cluster.most == 1


def test_a_look_that_breaks_is_a_view_with_the_reason_in_every_part() -> None:
    clock = HandClock()
    cluster, stepper = FakeCluster(clock), Stepper(clock)
    views: queue.Queue[ClusterView] = queue.Queue()
    poller = Poller(cluster, Watch, clock, 3.0, views.put, wait=stepper)
    poller.start()
    good = views.get(timeout=BOUND)
    cluster.error = RuntimeError("boom\x1b[2J")
    stepper.pass_()
    broken = views.get(timeout=BOUND)
    assert {getattr(broken, part).error for part in PARTS} == {"RuntimeError: boom\\x1b[2J"}
    assert broken.namespaces.value == good.namespaces.value and broken.namespaces.at == good.namespaces.at
    cluster.error = None
    stepper.pass_()
    assert views.get(timeout=BOUND).namespaces.current == ("look-3",)
    poller.stop()


def test_a_listener_that_breaks_does_not_end_the_polling() -> None:
    clock = HandClock()
    cluster, stepper = FakeCluster(clock), Stepper(clock)

    def listen(view: ClusterView) -> None:
        raise ValueError("the screen is gone")

    poller = Poller(cluster, Watch, clock, 3.0, listen, wait=stepper)
    poller.start()
    stepper.pass_()
    stepper.pass_()
    stepper.waiting.get(timeout=BOUND)
    assert len(cluster.asked) == 3 and "the screen is gone" in poller.last_error
    poller.stop()


def test_stop_ends_a_long_wait_and_no_view_comes_after_it() -> None:
    clock = HandClock()
    cluster = FakeCluster(clock)
    views: queue.Queue[ClusterView] = queue.Queue()
    poller = Poller(cluster, Watch, clock, 3600.0, views.put)
    poller.start()
    poller.start()
    views.get(timeout=BOUND)
    poller.stop(BOUND)
    assert not any(thread.name == "poller-source" and thread.is_alive() for thread in threading.enumerate())
    poller.poke()
    assert views.empty()


def test_a_view_that_arrives_after_the_stop_is_not_handed_on() -> None:
    clock = HandClock()
    cluster = FakeCluster(clock)
    cluster.gate = threading.Event()
    views: queue.Queue[ClusterView] = queue.Queue()
    poller = Poller(cluster, Watch, clock, 3.0, views.put)
    poller.start()
    assert cluster.entered.wait(BOUND)
    poller.stop(0.0)
    cluster.gate.set()
    poller.stop(BOUND)
    assert views.empty()
