"""One cluster as everybody above the wire sees it: looks that never raise, and calls that are checked.

Invariant: whatever is returned fits the wire's schema and holds only safe text; a change is sent only to the cluster
whose id was pinned. Pollers call `look`, the migration service calls `call` and `pin`; both at once, from any thread.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hbase_ferry.cluster.answers import read_answer
from hbase_ferry.cluster.wire import METHODS, Items, Wire
from hbase_ferry.errors import DeadlineExceeded, FerryError, Refused, Unreachable
from hbase_ferry.model.clock import Clock
from hbase_ferry.model.cluster import PARTS, ClusterView, Identity, Observed, ServerFacts, Side, Table
from hbase_ferry.model.event import Json
from hbase_ferry.model.text import safe_text
from hbase_ferry.model.watch import Watch

MAX_ITEMS = 10_000
"""Of a listing in a look. A longer one is an error: what is missing from a cut list is not known to be absent."""
BACK_OFF = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts to connect."""


@dataclass
class _Reading:
    """One part being read, possibly for longer than the look that began it."""

    watch: Watch
    changes: int
    "how many changes this side had answered when the reading began"
    done: threading.Event = field(default_factory=threading.Event)
    seen: Observed[Any] = Observed()
    ended: float = 0.0
    "time.monotonic() of its end"


class Cluster:
    """A cluster behind a wire that is opened when first needed and again after it broke.

    `patience`: seconds a look waits for its slowest part once the wire is open (`first_patience` in all while it is
    being opened: an agent takes seconds to start); a part that takes longer is reported as such and its answer is
    used by the next look. `side_by_side` False reads the parts one after the other on the caller's
    thread, which keeps the simulator's order of calls the same in every run.
    """

    def __init__(
        self,
        side: Side,
        name: str,
        connect: Callable[[], Wire],
        clock: Clock,
        *,
        patience: float = 10.0,
        first_patience: float = 40.0,
        side_by_side: bool = True,
        parts: Collection[str] = PARTS,
    ) -> None:
        """`parts`: what this kind of side has; the others stay as they are, never seen."""
        self.parts = tuple(parts)
        self.side = side
        self.name = name
        self._connect = connect
        self._clock = clock
        self._patience, self._first_patience = patience, first_patience
        self._side_by_side = side_by_side
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._broken: tuple[Wire | None, Unreachable | None] = (None, None)
        self._opened = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._last_failure = ""
        self._closed = False
        self._reading: dict[str, _Reading] = {}
        self._changes = 0
        self.pinned_id: str | None = None

    def pin(self, cluster_id: str) -> None:
        """From now on only the cluster with this id is changed, and only its answers count in a look."""
        self.pinned_id = cluster_id

    def close(self) -> None:
        """Closes the wire; later calls raise Unreachable."""
        with self._lock:
            self._closed = True
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    # ---- calls

    def call(self, method: str, params: Mapping[str, Json]) -> Any:
        """The typed answer of METHODS[method], within its deadline.

        Raises AgentError (HBase or the agent said no), Unreachable, DeadlineExceeded (a change may have had its
        effect), BadAnswer, and Refused for a change while no cluster id is pinned. KeyError, TypeError: a caller's bug.
        """
        known = METHODS[method]
        if unknown := set(params) - set(known.params):
            raise TypeError(f"{method} has no parameter {', '.join(sorted(unknown))}")
        sent = dict(params)
        if known.changes:
            if self.pinned_id is None:
                raise Refused(f"{self.name}: {method} was not sent: which cluster this is has not been pinned yet")
            sent["expect_cluster_id"] = self.pinned_id
        wire = self._open()
        try:
            raw = wire.call(method, sent, known.deadline)
        except DeadlineExceeded:
            raise
        except Unreachable as error:
            first = self._forget(wire, error)
            if first is error:
                raise
            raise Unreachable(str(first)) from error
        finally:
            self._changes += known.changes
        return read_answer(method, raw, self.side, self.name)

    def _open(self) -> Wire:
        with self._lock:
            if self._closed:
                raise Unreachable(f"{self.name}: closed")
            if self._wire is not None:
                return self._wire
            now = self._clock.now()
            if now < self._retry_at:
                wait = f"{self._retry_at - now:.0f} s"
                raise Unreachable(f"{self._last_failure} (next attempt in {wait})")
            try:
                self._wire = self._connect()
                self._opened = time.monotonic()
            except FerryError as error:
                self._last_failure = str(error)
                self._retry_at = self._clock.now() + BACK_OFF[min(self._failures, len(BACK_OFF) - 1)]
                self._failures += 1
                raise
            self._failures = 0
            return self._wire

    def _forget(self, wire: Wire, error: Unreachable) -> Unreachable:
        """Closes the wire once. Returns what broke it: other calls on it fail for being closed, which says nothing."""
        with self._lock:
            if self._wire is not wire:
                broken, why = self._broken
                return why if why is not None and broken is wire else error
            self._wire, self._broken = None, (wire, error)
        with contextlib.suppress(FerryError):
            wire.close()
        return error

    # ---- looks

    def look(
        self, watch: Watch, previous: ClusterView | None = None, parts: Collection[str] = PARTS
    ) -> ClusterView:
        """A new view of this side. A part that failed keeps its previous value and age and gets an `error`; parts
        not asked for stay as they are. Never raises for a cluster's problem."""
        before = previous or ClusterView(self.side, self.name, parts=self.parts)
        wanted = [part for part in self.parts if part in parts]
        if self._side_by_side:
            seen = self._read_side_by_side(wanted, watch)
        else:
            seen = {part: self._read(part, watch) for part in wanted}
        merged = {part: _merge(getattr(before, part), new) for part, new in seen.items()}
        judged: dict[str, Any] = self._judged(before, merged)
        return replace(before, **judged)

    def _read_side_by_side(self, parts: list[str], watch: Watch) -> dict[str, Observed[Any]]:
        began = time.monotonic()
        readings = {part: self._begin(part, watch) for part in parts}
        seen: dict[str, Observed[Any]] = {}
        for part, reading in readings.items():
            while not reading.done.is_set() and (left := self._patient_until(began) - time.monotonic()) > 0:
                reading.done.wait(min(left, 0.25))
            if reading.done.is_set():
                self._reading.pop(part, None)
                seen[part] = reading.seen
            else:
                waited = time.monotonic() - began
                seen[part] = Observed(error=f"{self.name}: no answer yet after {waited:.3g} s")
        return seen

    def _patient_until(self, began: float) -> float:
        """When a look that began then gives up: patience counts from the moment the wire was open."""
        if self._wire is None:
            return began + self._first_patience
        return max(began, self._opened) + self._patience

    def _begin(self, part: str, watch: Watch) -> _Reading:
        """The reading of that part that is still under way, or a new one: a hung part is not asked for twice.

        What began before the newest change, or ended long ago, shows the past and is not taken for a fresh look.
        """
        under_way = self._reading.get(part)
        if under_way is not None and under_way.changes == self._changes:
            lately = time.monotonic() - under_way.ended < self._patience
            if not under_way.done.is_set() or (lately and under_way.watch == watch):
                return under_way
        reading = self._reading[part] = _Reading(watch, self._changes)

        def run() -> None:
            reading.seen = self._read(part, watch)
            reading.ended = time.monotonic()
            reading.done.set()

        threading.Thread(target=run, name=f"{self.name} {part}", daemon=True).start()
        return reading

    def _read(self, part: str, watch: Watch) -> Observed[Any]:
        """One part, as old as the moment it was asked for: the answer may show no later one."""
        began = self._clock.now()
        try:
            value = _READERS[part](self, watch)
        except FerryError as error:
            return Observed(error=safe_text(str(error), 1000))
        except Exception as error:  # a bug here must not end the poller
            return Observed(error=safe_text(f"{self.name}: {part}: {type(error).__name__}: {error}", 1000))
        return Observed(value, began)

    def _judged(self, before: ClusterView, parts: dict[str, Observed[Any]]) -> dict[str, Observed[Any]]:
        """With the wrong cluster behind the wire nothing of this look counts."""
        identity = parts.get("identity", before.identity).value
        if self.pinned_id is None or not isinstance(identity, Identity) or identity.cluster_id == self.pinned_id:
            return parts
        error = f"{self.name}: this is cluster {identity.cluster_id}, not the pinned {self.pinned_id}"
        return {part: replace(getattr(before, part), error=error) for part in parts} | {
            "identity": replace(parts.get("identity", before.identity), error=error)
        }

    def _items(self, method: str, params: Mapping[str, Json]) -> tuple[Any, ...]:
        found: Items[Any] = self.call(method, params)
        if found.total > len(found.items):
            raise Unreachable(f"{self.name}: {method}: {found.total} items, only {len(found.items)} were read")
        return found.items

    def _servers(self, watch: Watch) -> tuple[ServerFacts, ...]:
        wanted: dict[str, Json] = {
            "settings": list(watch.server_settings),
            "metrics": list(watch.server_metrics),
            "jars": list(watch.server_jars),
        }
        return self._items("servers.read", {**wanted, "max": MAX_ITEMS})

    def _tables(self, watch: Watch) -> tuple[Table, ...]:
        found: Items[Table] = self.call("tables.list", {"max": MAX_ITEMS, "names": None})
        if found.total <= len(found.items):
            return found.items
        named: Items[Table] = self.call("tables.list", {"max": MAX_ITEMS, "names": list(watch.tables)})
        listed = {table.name for table in found.items}
        return found.items + tuple(table for table in named.items if table.name not in listed)


def _merge(old: Observed[Any], new: Observed[Any]) -> Observed[Any]:
    return new if new.error is None else Observed(old.value, old.at, new.error)


_READERS: Mapping[str, Callable[[Cluster, Watch], Any]] = {
    "identity": lambda c, w: c.call("cluster.identity", {"settings": list(w.settings)}),
    "namespaces": lambda c, w: c._items("namespaces.list", {"max": MAX_ITEMS}),
    "tables": lambda c, w: c._tables(w),
    "writes": lambda c, w: c._items("tables.writes", {"names": list(w.tables)}) if w.tables else (),
    "peers": lambda c, w: c._items("peers.list", {"max": MAX_ITEMS}),
    "load": lambda c, w: c._items("replication.load", {"max": MAX_ITEMS}),
    "snapshots": lambda c, w: c._items("snapshots.list", {"max": MAX_ITEMS}),
    "stats": lambda c, w: c._items("snapshots.stats", {"names": list(w.snapshots)}) if w.snapshots else (),
    "servers": lambda c, w: c._servers(w) if w.servers else (),
    "disk": lambda c, w: c.call("hdfs.usage", {"paths": list(w.paths)}),
}
