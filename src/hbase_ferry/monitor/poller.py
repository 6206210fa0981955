"""When to look: one daemon thread a cluster that looks, hands the view on, waits, and looks again.

Invariant: never two looks of one cluster at once; the next begins an interval after the last one ended, so
a slow cluster is asked less often. A look that fails is data like any other: the view carries the reasons,
and the thread goes on. Built and started by `wiring`; whoever acts pokes it to see the effect at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

from hbase_ferry.model.clock import Clock
from hbase_ferry.model.cluster import PARTS, ClusterView, Side
from hbase_ferry.model.text import safe_text
from hbase_ferry.model.watch import Watch

FAST = ("identity", "peers", "load", "writes")
SLOW: tuple[str, ...] = tuple(part for part in PARTS if part not in FAST)
"""Listings, content summaries and SnapshotInfo: costly on object stores and with thousands of tables."""
SLOW_EVERY_SECONDS = 10.0


class Looks(Protocol):
    """What a poller needs of `cluster.client.Cluster`."""

    @property
    def side(self) -> Side: ...
    @property
    def name(self) -> str: ...
    def look(
        self, watch: Watch, previous: ClusterView | None = None, parts: Collection[str] = PARTS
    ) -> ClusterView: ...


class Poller:
    """The thread of one cluster. `interval` and `slow_every` in seconds; `wait` lets the interval pass, or
    less once the event is set."""

    def __init__(
        self,
        cluster: Looks,
        watch: Callable[[], Watch],
        clock: Clock,
        interval: float,
        on_view: Callable[[ClusterView], None],
        *,
        slow_every: float = SLOW_EVERY_SECONDS,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._cluster = cluster
        self._watch = watch
        self._clock = clock
        self._interval = interval
        self._on_view = on_view
        self._slow_every = slow_every
        self._wait = wait
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._thread: threading.Thread | None = None
        self._previous: ClusterView | None = None
        self._slow_at: float | None = None
        self._slow_watch: Watch | None = None
        self._poked = False
        self.last_error = ""
        "why the newest view could not be handed on; empty: it was"

    def start(self) -> None:
        """Starts the thread; a second call does nothing."""
        if self._thread is None:
            name = f"poller-{self._cluster.side}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()

    def poke(self) -> None:
        """Look now, at every part. While a look runs, another one follows it at once. Returns at once."""
        self._poked = True
        self._wake.set()

    def stop(self, timeout: float = 2.0) -> None:
        """Ends the thread and waits for it up to `timeout` seconds; a look that hangs is left to its
        deadline."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def look_once(self) -> ClusterView:
        """One look on the caller's thread, handed on like any other."""
        with self._looking:
            started = self._clock.now()
            watch = self._watch()
            poked, self._poked = self._poked, False
            due = self._slow_at is None or started - self._slow_at >= self._slow_every
            whole = due or poked or watch != self._slow_watch
            view = self._cluster.look(watch, self._previous, PARTS if whole else FAST)
            if whole:
                self._slow_at, self._slow_watch = self._clock.now(), watch
            self._previous = view
            self._hand_on(view)
            return view

    def _hand_on(self, view: ClusterView) -> None:
        if self._stop.is_set():
            return
        try:
            self._on_view(view)
            self.last_error = ""
        except Exception as error:
            self.last_error = safe_text(f"{type(error).__name__}: {error}", 300)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.look_once()
            except Exception as error:
                self._failed(error)
            if not self._stop.is_set():
                self._wait(self._wake, self._interval)

    def _failed(self, error: Exception) -> None:
        """A look that broke instead of answering: every part keeps its value and gets the reason."""
        text = safe_text(f"{type(error).__name__}: {error}", 300)
        view = self._previous or ClusterView(self._cluster.side, self._cluster.name)
        broken = {part: replace(getattr(view, part), error=text) for part in PARTS}
        self._previous = replace(view, **broken)
        self._hand_on(self._previous)
