"""How long the source's WAL file system lasts, and what removing a peer loses and gives back. Pure.

Invariant: a forecast names what it rests on. Below a minimum window it says how long it has measured, and
open WALs stay a stated uncertainty: HDFS shows them with 0 bytes and a whole block of space each
(hbase-replication.md §2.3). Called by the gates of the plan, the big red button and the headline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hbase_ferry.insight.format import duration, moment, plural, size
from hbase_ferry.insight.lag import judge_peer
from hbase_ferry.insight.queues import PeerState, waiting_wals, wal_groups
from hbase_ferry.insight.versions import drops_backlog_on_remove
from hbase_ferry.model.cluster import ClusterView, Disk, Identity
from hbase_ferry.model.view import View

MIN_WINDOW_SECONDS = 120.0
MAX_WINDOW_SECONDS = 1800.0
MIN_SAMPLES = 3
NO_CAPACITY = 1 << 60
"""Hadoop's FileSystem.getStatus answers Long.MAX_VALUE for a store without a capacity (S3A, OSS, GCS)."""
DEFAULT_REPLICATION = 3
DEFAULT_CLEANER_MS = 600_000


@dataclass(frozen=True)
class Runway:
    """When the disk is full. Bytes count every replica."""

    hours: float | None
    "None: nothing fills up, or it is not known; `text` says which"
    growth_bytes_per_hour: float | None
    "of the used capacity, or of what WALs and archive hold where that grows faster; None: not measured yet"
    backlog_bytes: int | None
    "what closed WALs hold on disk now; None: not observed"
    uncertainty_bytes: int
    "open WALs: shown with whole blocks until they are closed"
    text: str


@dataclass(frozen=True)
class RemovalCost:
    """What remove_peer costs and brings, as sentences. `bytes_back` None: nothing, or not known; `returns`
    says which."""

    lost: tuple[str, ...]
    returns: tuple[str, ...]
    bytes_back: int | None


def runway(history: Sequence[ClusterView], *, min_window_seconds: float = MIN_WINDOW_SECONDS) -> Runway:
    """The forecast from one side's views, oldest first: a straight line through at most the last half
    hour."""
    if not history:
        return Runway(None, None, None, 0, "disk not observed yet")
    view = history[-1]
    disk = view.disk.current
    if disk is None:
        old = view.disk.at
        seen = "never seen" if old is None else f"last seen at {moment(old)}"
        return Runway(None, None, None, 0, f"disk not known: {view.disk.error or 'not asked'}, {seen}")
    held, open_bytes = wal_bytes(disk, view.identity.value)
    holds = f"WALs hold {size(held)}, give or take {size(open_bytes)} for open WALs"
    if not 0 < disk.capacity < NO_CAPACITY:
        return Runway(None, None, held, open_bytes, f"{disk.filesystem} has no capacity to fill; {holds}")
    samples = _samples(history)
    span = samples[-1][0] - samples[0][0]
    if span < min_window_seconds or len(samples) < MIN_SAMPLES:
        waited = f"measuring, {duration(int(span))} of {duration(min_window_seconds)}"
        if span >= min_window_seconds:
            waited = f"measuring, {len(samples)} of {MIN_SAMPLES} looks"
        return Runway(None, None, held, open_bytes, f"{waited}; {size(disk.remaining)} free, {holds}")
    return _forecast(disk, samples, held, open_bytes, holds)


def _forecast(
    disk: Disk, samples: Sequence[tuple[float, float, float]], held: int, open_bytes: int, holds: str
) -> Runway:
    used_growth = 3600 * _slope([(at, used) for at, used, _ in samples])
    wal_growth = 3600 * _slope([(at, wals) for at, _, wals in samples])
    measurable = abs(samples[-1][2] - samples[0][2]) > open_bytes
    growth = max(used_growth, wal_growth) if measurable else used_growth
    span = duration(int(samples[-1][0] - samples[0][0]))
    free = f"{size(disk.remaining)} free"
    if growth <= 0 or disk.remaining / growth > 24 * 365 * 10:
        text = f"the disk does not fill: {size(growth)} an hour over {span}, {free}; {holds}"
        return Runway(None, growth, held, open_bytes, text)
    hours = max(0.0, disk.remaining / growth)
    text = f"disk full in {duration(hours * 3600)}: {size(growth)} an hour over {span}, {free}; {holds}"
    return Runway(hours, growth, held, open_bytes, text)


def wal_bytes(disk: Disk, identity: Identity | None) -> tuple[int, int]:
    """(disk space of closed WALs, space shown for open ones), every replica counted.

    An open WAL counts 0 bytes and whole blocks of space (ContentSummary), so what the space of WALs is
    more than their bytes times the replication is open.
    """
    replication = _replication(disk, identity)
    closed = round(disk.wals.bytes * replication)
    open_bytes = max(0, disk.wals.space - closed)
    return max(0, disk.old_wals.space + min(closed, max(disk.wals.space, 0))), open_bytes


def _replication(disk: Disk, identity: Identity | None) -> float:
    for usage in (disk.old_wals, disk.archive):
        if usage.bytes > 0 and usage.space >= usage.bytes:
            return usage.space / usage.bytes
    known = (identity.settings if identity else {}).get("dfs.replication", "")
    return (
        float(known) if known.isascii() and known.isdigit() and 0 < int(known) < 1000 else DEFAULT_REPLICATION
    )


def _samples(history: Sequence[ClusterView]) -> list[tuple[float, float, float]]:
    """(at, used, WALs + oldWALs + archive) of each distinct look at the disk within the window, oldest
    first."""
    found: list[tuple[float, float, float]] = []
    newest = history[-1].disk.at or 0.0
    for view in history:
        disk, at = view.disk.value, view.disk.at
        if disk is None or at is None or newest - at > MAX_WINDOW_SECONDS or (found and at <= found[-1][0]):
            continue
        held = float(disk.wals.space + disk.old_wals.space + disk.archive.space)
        found.append((at, float(disk.used), held))
    return found


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares, per second."""
    middle = sum(at for at, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    return sum((at - middle) * (value - mean) for at, value in points) / spread if spread else 0.0


def removal_cost(peer_id: str, view: View | ClusterView, history: Sequence[ClusterView]) -> RemovalCost:
    """What remove_peer would throw away and give back, from the source's newest view and its history.

    The queue goes with the peer in every line (RemovePeerProcedure); WALs are freed by the master's
    LogCleaner, and only if no other peer holds them (ReplicationLogCleaner).
    """
    source = view.source if isinstance(view, View) else view
    lost = _lost(peer_id, source, history)
    others = [peer for peer in source.peers.current or () if peer.id != peer_id]
    if source.peers.current is None or source.load.current is None:
        unknown = "not known: peers or queues of the source could not be read"
        return RemovalCost(lost, (unknown,), None)
    if source.peer(peer_id) is None:
        return RemovalCost(lost, ("nothing: the peer is not there",), None)
    holding = [
        f"{peer.id} ({'enabled' if peer.enabled else 'disabled'}, {plural(queued, 'closed WAL')} queued)"
        for peer in others
        if (queued := _queued(source, peer.id)) or not peer.enabled
    ]
    if holding:
        verb = "holds" if len(holding) == 1 else "hold"
        text = f"nothing at once: {', '.join(holding)} still {verb} the same WALs"
        return RemovalCost(lost, (text, _when(source)), None)
    disk = source.disk.current
    if disk is None:
        return RemovalCost(lost, ("how much is not known: the disk could not be read", _when(source)), None)
    held, _ = wal_bytes(disk, source.identity.value)
    back = min(held, max(0, disk.old_wals.space))
    return RemovalCost(lost, (f"up to {size(back)}, what oldWALs hold now", _when(source)), back)


def _queued(view: ClusterView, peer_id: str) -> int:
    groups = wal_groups(view)
    return sum(waiting_wals(queue, groups) for queue in view.queues(peer_id))


def _lost(peer_id: str, source: ClusterView, history: Sequence[ClusterView]) -> tuple[str, ...]:
    version = source.identity.value.hbase_version if source.identity.value else ""
    if source.peers.current is not None and source.peer(peer_id) is None:
        return (f"nothing: peer {peer_id} does not exist on {source.name}",)
    truth = judge_peer(peer_id, history or (source,))
    lines = []
    if truth.queued_wals is None:
        lines.append(f"everything peer {peer_id} has not shipped; how much is not known: {truth.text}")
    else:
        closed = plural(truth.queued_wals, "closed WAL")
        since = f", held since at least {moment(truth.since)}" if truth.state is PeerState.DISABLED else ""
        servers = plural(truth.servers, "server")
        lines.append(f"{closed} and the open ones of {servers}, as far as not shipped{since}")
    if truth.state is PeerState.IDLE:
        lines.append("nothing is seen to wait, yet without a canary row that is no proof")
    if drops_backlog_on_remove(version):
        lines.append("the place in the backlog, for good: a peer added again starts at the WALs open then")
    lines.append(
        "the copied history: without the backlog it does not join the writes after it, copy it anew"
    )
    return tuple(lines)


def _when(source: ClusterView) -> str:
    """When the cleaner gives space back. hbase.master.logcleaner.ttl and hbase.master.cleaner.interval, 10
    min each."""
    settings = source.identity.value.settings if source.identity.value else {}
    ttl = _milliseconds(settings.get("hbase.master.logcleaner.ttl")) / 1000
    interval = _milliseconds(settings.get("hbase.master.cleaner.interval")) / 1000
    runs = f"the cleaner runs every {duration(interval)} and keeps each WAL {duration(ttl)}"
    return f"{runs}: all of it within {duration(ttl + interval)}"


def _milliseconds(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 15:
        return DEFAULT_CLEANER_MS
    return int(text)
