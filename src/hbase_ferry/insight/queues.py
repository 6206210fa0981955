"""One replication queue over time: does something wait in it, and is it shipped? Pure; `lag` joins the
queues of a peer.

Invariant: a verdict rests on reports of the region server that differ from each other. A number that HBase
repeats without a new heartbeat is no news, and a counter that fell started again (hbase-replication.md §6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from hbase_ferry.insight.format import count, duration, millis, plural
from hbase_ferry.model.cluster import ClusterView, ReplicationQueue

KEEPING_UP_MS = 5_000
"""A batch in flight for less than this is ordinary work, not a backlog."""
IMPOSSIBLE_LAG_MS = 10**9
"""HBase 1.x reports now minus epoch 0, 2.0-2.2 Long.MAX_VALUE, for a source that never shipped."""
MAX_BACKOFF_SECONDS = 300.0
"""replication.source.maxretriesmultiplier's default times one second."""
RATE_WINDOW_MS = 30_000
NODE_BANDWIDTH = "replication.source.per.peer.node.bandwidth"
"""The site's limit for every peer that has none of its own, bytes a second and region server; 0: none."""
BATCH_CAPACITY = "replication.source.size.capacity"
"""How many bytes one batch holds at most; 64 MB where the site does not say."""
DEFAULT_BATCH_BYTES = 64 << 20
STALL_SECONDS = 10.0
STALE_SECONDS = 15.0
LONG_PAUSE_SECONDS = 60.0
"""A longer pause may be the peer's bandwidth limit or a stall: nobody could tell, so it is called unknown."""


class PeerState(StrEnum):
    """What a peer does, in the only five words a screen shows."""

    DISABLED = "disabled"
    IDLE = "idle"
    STALLED = "stalled"
    CATCHING_UP = "catching up"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Report:
    """What a region server said of one queue, and when we first saw it (epoch seconds of this machine)."""

    at: float
    reported_ms: int
    queue: ReplicationQueue


@dataclass(frozen=True)
class Rules:
    """What a verdict needs to know beside the reports."""

    now: float
    "when the newest look at the load ended, epoch seconds"
    enabled_at: float | None = None
    "when the peer was seen to turn enabled, which wakes its readers; None: before the history began"
    groups: int = 1
    "WAL groups: open WALs of a server, which are in the queue without waiting"
    backoff: bool = True
    "HBase 2.6+: an idle reader sleeps up to 300 s (HBASE-27632)"
    stall_seconds: float = STALL_SECONDS
    stale_seconds: float = STALE_SECONDS
    pause: float = 0.0
    "as `longest_pause` gave it"


@dataclass(frozen=True)
class QueueTruth:
    """One queue's verdict. `text` starts with the server; `waiting` WALs exclude the open ones."""

    state: PeerState
    text: str
    waiting: int
    lag_ms: int | None
    since: float
    "epoch seconds: begin of the stall, of the backlog, or of the quiet"
    per_second: float | None
    idle_seconds: float | None
    "since the last shipment as far as known; None: no shipment known"
    limited: bool = False
    "whether the peer's bandwidth limit may be what holds back what waits"


def baseline(queue: ReplicationQueue, groups: int) -> int:
    """WALs of the queue that are merely open: one a WAL group; a recovered queue has none."""
    return 0 if queue.recovered else groups


def waiting_wals(queue: ReplicationQueue, groups: int) -> int:
    """Closed WALs that still wait in the queue."""
    return max(0, queue.size - baseline(queue, groups))


def wal_groups(view: ClusterView) -> int:
    """Open WALs a region server has: 1, or with hbase.wal.provider=multiwal the number of its groups
    (default 2)."""
    settings = view.identity.value.settings if view.identity.value else {}
    if settings.get("hbase.wal.provider") != "multiwal":
        return 1
    number = settings.get("hbase.wal.regiongrouping.numgroups", "2")
    return min(100, max(1, int(number))) if number.isascii() and number.isdigit() and len(number) < 6 else 2


def lowest_limit(views: Sequence[ClusterView], peer_id: str) -> int:
    """The lowest limit in force in any of these views, bytes a second and region server; 0: none in any.

    A pause that has begun lasts to its end, whatever is set meanwhile: ReplicationSourceShipper sleeps once.
    """
    limits = (_limit(view, peer_id) for view in views)
    return min((limit for limit in limits if limit), default=0)


def _limit(view: ClusterView, peer_id: str) -> int:
    """The peer's own limit, else the site's (ReplicationSource); a negative one limits nothing."""
    peer = view.peer(peer_id)
    return max(0, (peer.bandwidth if peer else 0) or _setting(view, NODE_BANDWIDTH))


def longest_pause(limit: int, view: ClusterView) -> float:
    """Seconds for which a healthy queue may ship nothing under this limit: it ships a batch, and pays for it before the
    next (ReplicationThrottler). 20 kB/s made 2.6.1 pause for 26 s at 500 writes a second."""
    return wal_groups(view) * (_setting(view, BATCH_CAPACITY) or DEFAULT_BATCH_BYTES) / limit if limit else 0.0


def _setting(view: ClusterView, key: str) -> int:
    text = view.identity.value.settings.get(key, "") if view.identity.value else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def believable_lag(queue: ReplicationQueue, groups: int) -> int | None:
    """HBase's lag where it can mean something.

    From 2.3 on: age of the batch in flight. Before: only while closed WALs wait, and never the epoch-sized
    number of a source that has not shipped (HBase 1.4.14 said 191 s with every row on the target).
    """
    if not 0 <= queue.lag_ms < IMPOSSIBLE_LAG_MS:
        return None
    if queue.ops_shipped is None and waiting_wals(queue, groups) == 0:
        return None
    return queue.lag_ms


def moved(before: ReplicationQueue, after: ReplicationQueue) -> bool:
    """Whether the queue advanced between two reports: something shipped, or a WAL was finished.

    A counter that fell belongs to a new source object: it counts from 0. AgeOfLastShippedOp is never
    asked, since any reader of JMX resets it (2.6.1 showed 0 in the middle of a hang).
    """
    if after.ops_shipped is not None and before.ops_shipped is not None:
        if after.ops_shipped > before.ops_shipped:
            return True
        if 0 < after.ops_shipped < before.ops_shipped:
            return True
    return after.last_shipped_ms > before.last_shipped_ms or after.size < before.size


def judge_queue(reports: Sequence[Report], rules: Rules) -> QueueTruth:
    """The verdict on one queue from its distinct reports, oldest first; at least one."""
    newest = reports[-1]
    queue = newest.queue
    waiting = waiting_wals(queue, rules.groups)
    lag = believable_lag(queue, rules.groups)
    since, progressed = _standing_since(reports, rules)
    idle = _idle_seconds(reports, rules)
    state, why = _state(reports, rules, since, progressed, idle)
    name = f"{queue.server}{' (recovered queue ' + queue.queue_id + ')' if queue.recovered else ''}"
    honest = lag if lag or not (waiting or queue.recovered) or state is PeerState.CATCHING_UP else None
    limited = _waits(queue, rules.groups) and _may_pause(reports, rules, since, idle)
    return QueueTruth(state, f"{name}: {why}", waiting, honest, since, shipped_per_second(reports), idle, limited)


def _state(
    reports: Sequence[Report], rules: Rules, since: float, progressed: bool, idle: float | None
) -> tuple[PeerState, str]:
    newest, queue = reports[-1], reports[-1].queue
    silent = rules.now - newest.at
    if silent >= rules.stale_seconds:
        return PeerState.UNKNOWN, f"no new report for {duration(silent)}"
    if queue.running is False:
        stopped = newest.at - _run_start(reports, lambda r: r.queue.running is False)
        state = PeerState.STALLED if stopped >= rules.stall_seconds else PeerState.UNKNOWN
        return state, f"its source is not running (isRunning=false) for {duration(stopped)}"
    standing = max(0.0, newest.at - since)
    what = _what_waits(queue, rules.groups)
    if not what:
        if len(reports) < 2:
            return PeerState.UNKNOWN, "one report so far; two that differ in time are needed"
        return PeerState.IDLE, f"nothing waits, {_last_shipped(idle)}"
    patience = rules.stall_seconds + _sleep_seconds(queue, rules, idle)
    if progressed and standing < patience:
        return PeerState.CATCHING_UP, f"{what}, shipping"
    if standing >= patience and _may_pause(reports, rules, since, idle):
        known = progressed and standing < patience + LONG_PAUSE_SECONDS
        why = f"nothing was shipped for {duration(standing)}, and the bandwidth limit allows for up to "
        state = PeerState.CATCHING_UP if known else PeerState.UNKNOWN
        return state, f"{what}, {why}{duration(rules.pause)} after a batch"
    if standing >= patience and len(reports) >= 3:
        return PeerState.STALLED, f"{what}, and nothing was shipped for {duration(standing)}"
    return (
        PeerState.UNKNOWN,
        f"{what}, nothing shipped yet; watched for {duration(standing)} of {duration(patience)}",
    )


def _may_pause(reports: Sequence[Report], rules: Rules, since: float, idle: float | None) -> bool:
    """Whether a bandwidth limit explains that nothing is shipped. A source that has shipped nothing since it started
    owes nothing."""
    newest = reports[-1]
    if not rules.pause or newest.queue.last_shipped_ms <= 0 or newest.queue.running is False:
        return False
    patience = rules.stall_seconds + _sleep_seconds(newest.queue, rules, idle)
    return newest.at - since < patience + rules.pause


def _what_waits(queue: ReplicationQueue, groups: int) -> str:
    """What waits as a sentence part; empty: nothing that can be seen."""
    found = []
    waiting = waiting_wals(queue, groups)
    if waiting or queue.recovered:
        found.append(f"{plural(waiting, 'closed WAL')} waiting")
    lag = believable_lag(queue, groups)
    if lag is not None and lag >= KEEPING_UP_MS:
        found.append(f"lag {millis(lag)}")
    return ", ".join(found)


def _waits(queue: ReplicationQueue, groups: int) -> bool:
    """Whether `_what_waits` would say something; asked of every report of the watch, so it builds no sentence."""
    if queue.recovered or waiting_wals(queue, groups):
        return True
    lag = believable_lag(queue, groups)
    return lag is not None and lag >= KEEPING_UP_MS


def _standing_since(reports: Sequence[Report], rules: Rules) -> tuple[float, bool]:
    """Since when it waits without moving, or since when nothing waits; and whether it was ever seen to
    move."""
    newest = reports[-1]
    progress_at, progressed = reports[0].at, False
    for before, after in zip(reversed(reports[:-1]), reversed(reports[1:]), strict=True):
        if moved(before.queue, after.queue):
            progress_at, progressed = after.at, True
            break
    if not _waits(newest.queue, rules.groups):
        return progress_at, progressed
    waits_since = _run_start(reports, lambda r: _waits(r.queue, rules.groups))
    lag = believable_lag(newest.queue, rules.groups)
    if lag:
        waits_since = min(waits_since, newest.at - lag / 1000)
    return max(progress_at, waits_since, reports[0].at), progressed


def _run_start(reports: Sequence[Report], holds: Callable[[Report], bool]) -> float:
    """First moment of the unbroken run of reports, up to the newest, for which `holds` is true."""
    start = reports[-1].at
    for report in reversed(reports):
        if not holds(report):
            break
        start = report.at
    return start


def _idle_seconds(reports: Sequence[Report], rules: Rules) -> float | None:
    newest = reports[-1]
    if newest.queue.last_shipped_ms > 0:
        return max(0.0, (newest.reported_ms - newest.queue.last_shipped_ms) / 1000)
    return None if rules.enabled_at is None else max(0.0, newest.at - rules.enabled_at)


def _sleep_seconds(queue: ReplicationQueue, rules: Rules, idle: float | None) -> float:
    """How long a healthy reader may sleep although something waits: 2.6+ backs off by one second an empty
    poll, so after T idle seconds about the square root of 2T. 0 while a batch is in flight."""
    if not rules.backoff or queue.recovered or queue.lag_ms > 0:
        return 0.0
    return MAX_BACKOFF_SECONDS if idle is None else min(MAX_BACKOFF_SECONDS, math.sqrt(2 * idle) + 1)


def _last_shipped(idle: float | None) -> str:
    return "no shipment known" if idle is None else f"last shipment {duration(idle)} ago"


def shipped_per_second(reports: Sequence[Report]) -> float | None:
    """Operations a second over the newest half minute (or two reports further apart); None: this line does
    not count, or one report only.

    A rate, never a progress: every disable then enable ships the open WAL again from its start.
    """
    newest = reports[-1]
    within = [r for r in reports if newest.reported_ms - r.reported_ms <= RATE_WINDOW_MS]
    recent = within if len(within) > 1 else list(reports[-2:])
    counts = [r.queue.ops_shipped for r in recent]
    span = (newest.reported_ms - recent[0].reported_ms) / 1000
    if span <= 0 or any(number is None for number in counts):
        return None
    numbers = [number for number in counts if number is not None]
    gained = sum(max(0, after - before) for before, after in pairwise(numbers))
    return gained / span


def describe_rate(per_second: float | None) -> str:
    """1 222 ops/s, or "at an unknown rate" where HBase does not count."""
    return "at an unknown rate" if per_second is None else f"{count(per_second)} ops/s"
