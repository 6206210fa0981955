"""What was seen lately: views of both sides for the insight functions, and thin series for the charts.

Invariant: memory is bounded however large a cluster is. The newest few views are whole; older ones keep
only what verdicts over time need (peers, disk, queues), and where more queues are kept than a fixed
number, every second of the older views goes, so that what is kept still reaches back. Charts read their
own samples, which all stay. Safe to use from several threads. Filled by `wiring`, read by the console, the
command line and the service.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hbase_ferry.insight.disk import NO_CAPACITY, wal_bytes
from hbase_ferry.insight.queues import believable_lag, waiting_wals, wal_groups
from hbase_ferry.model.cluster import ClusterView, Observed, Side

Point: TypeAlias = "tuple[float, float | None]"

WHOLE_VIEWS = 3
MAX_RECORDS = 30_000
"""Server and queue records kept per side, some 0.7 KB each: with 3 servers and 2 peers every view stays."""


@dataclass(frozen=True)
class Sample:
    """What the charts need of one view. A part that could not be read leaves None."""

    at: float
    lags: Mapping[str, int | None] = field(default_factory=dict)
    "peer -> milliseconds, the largest of its queues; None: no number that can be believed"
    backlog: int | None = None
    "closed WALs' disk space, bytes"
    free: int | None = None
    "bytes; None where a store has no capacity"


@dataclass
class _Track:
    samples: deque[Sample]
    views: list[ClusterView]
    weights: list[int]
    "records in the view of the same place"


class History:
    """The ring of both sides' views. `limit` views and samples a side at most."""

    def __init__(self, limit: int = 720, max_records: int = MAX_RECORDS) -> None:
        self._limit = max(WHOLE_VIEWS, limit)
        self._max_records = max_records
        self._lock = threading.Lock()
        self._tracks = {side: _Track(deque(maxlen=self._limit), [], []) for side in Side}

    def append(self, view: ClusterView, at: float | None = None) -> None:
        """Takes one finished look. `at`: when it ended, epoch seconds; without it the newest part's moment
        stands for it, and a look that failed altogether is put right behind the one before."""
        sample = sample_of(view, at)
        weight = sum(len(load.queues) + 1 for load in view.load.value or ())
        with self._lock:
            track = self._tracks[view.side]
            if track.samples and sample.at <= track.samples[-1].at:
                sample = replace(sample, at=track.samples[-1].at + 0.001)
            track.samples.append(sample)
            track.views.append(_sharing(view, track.views[-1]) if track.views else view)
            track.weights.append(weight)
            if len(track.views) > WHOLE_VIEWS:
                track.views[-WHOLE_VIEWS - 1] = light(track.views[-WHOLE_VIEWS - 1])
            self._bound(track)

    def _bound(self, track: _Track) -> None:
        if len(track.views) > self._limit:
            del track.views[0], track.weights[0]
        if sum(track.weights) > self._max_records and len(track.views) > WHOLE_VIEWS + 1:
            newest = len(track.views) - WHOLE_VIEWS
            keep = [n for n in range(len(track.views)) if n >= newest or (newest - n) % 2 == 0]
            track.views = [track.views[n] for n in keep]
            track.weights = [track.weights[n] for n in keep]

    def side(self, side: Side) -> tuple[ClusterView, ...]:
        """That side's views, oldest first; all but the newest few are light."""
        with self._lock:
            return tuple(self._tracks[side].views)

    def latest(self, side: Side) -> ClusterView | None:
        """The newest view, whole."""
        with self._lock:
            views = self._tracks[side].views
            return views[-1] if views else None

    def lag_series(self, peer_id: str, side: Side = Side.SOURCE) -> list[Point]:
        """(epoch seconds, milliseconds); None where the lag was not known or means nothing (peer
        disabled)."""
        return self._series(side, lambda sample: sample.lags.get(peer_id))

    def backlog_series(self, side: Side = Side.SOURCE) -> list[Point]:
        """(epoch seconds, bytes that closed WALs hold on disk, every replica)."""
        return self._series(side, lambda sample: sample.backlog)

    def free_series(self, side: Side = Side.SOURCE) -> list[Point]:
        """(epoch seconds, bytes free on the WAL file system); None too where it has no capacity."""
        return self._series(side, lambda sample: sample.free)

    def _series(self, side: Side, value: Callable[[Sample], float | None]) -> list[Point]:
        with self._lock:
            samples = tuple(self._tracks[side].samples)
        return [(sample.at, value(sample)) for sample in samples]


def light(view: ClusterView) -> ClusterView:
    """The view without its listings; what a verdict over time needs stays."""
    return replace(
        view,
        namespaces=Observed(),
        tables=Observed(),
        writes=Observed(),
        snapshots=Observed(),
        stats=Observed(),
    )


def _sharing(view: ClusterView, before: ClusterView) -> ClusterView:
    """The view with the server list of the one before where both are equal: a thousand names need not
    stand twice."""
    new, old = view.identity.value, before.identity.value
    if new is None or old is None or new.servers is old.servers or new.servers != old.servers:
        return view
    return replace(view, identity=replace(view.identity, value=replace(new, servers=old.servers)))


def sample_of(view: ClusterView, at: float | None = None) -> Sample:
    """The chart's extract of one view."""
    parts = (view.load, view.peers, view.disk, view.identity)
    at = max((part.at for part in parts if part.at), default=0.0) if at is None else at
    disk = view.disk.current
    backlog = wal_bytes(disk, view.identity.value)[0] if disk else None
    free = disk.remaining if disk and 0 < disk.capacity < NO_CAPACITY else None
    return Sample(at, _lags(view), backlog, free)


def _lags(view: ClusterView) -> dict[str, int | None]:
    """Each enabled peer's largest lag; None where a queue waits while HBase says 0, or says nothing
    believable."""
    groups = wal_groups(view)
    enabled = {peer.id for peer in view.peers.current or () if peer.enabled}
    found: dict[str, int | None] = {}
    for load in view.load.current or ():
        for queue in load.queues:
            if queue.peer not in enabled or (queue.peer in found and found[queue.peer] is None):
                continue
            lag = believable_lag(queue, groups)
            if lag == 0 and waiting_wals(queue, groups):
                lag = None
            found[queue.peer] = None if lag is None else max(lag, found.get(queue.peer) or 0)
    return found
