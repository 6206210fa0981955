"""How fast a peer hands entries over and how fast they are shipped, and whether it only tries again and again.

On a permanent error HBase hands the same batch to the library in a tight loop, on an unreachable target once a client
timeout; failedBatches stays 0 in both. The library counts every attempt, HBase every entry once, so more handed over
than read proves retries. Invariant: one look proves no rate, and nothing moved within the bean's cache time proves no
standstill. Called by the stall causes and the front ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import (
    REGION_SERVER,
    Counters,
    counters,
    deltas,
    left_behind,
    of_peer,
    repeats,
)
from hbase_ferry.insight.format import percent, size
from hbase_ferry.insight.queues import moved
from hbase_ferry.model.cluster import ClusterView, ReplicationQueue, ServerFacts

Pace: TypeAlias = Literal["loop", "slow", "unclear"]
"""Without a pause; once a client timeout; or not to be told yet after one rise of many entries."""

WINDOW_SECONDS = 30.0
BATCH_ENTRIES = 25_000
"""replication.source.nb.capacity's default: entries of one attempt, at most."""
CERTAIN_ATTEMPTS = 10
"""More than a target that does not answer lets happen within the window."""
SPIN_PER_SECOND = 1_200.0
SPIN_LOG_BYTES_PER_HOUR = 36 << 30
"""Measured on HBase 2.6.4 with one entry a batch: 1,200 attempts a second, 36 GB of log an hour, one core."""


@dataclass(frozen=True)
class Rate:
    """What one region server's queues of a peer moved over about half a minute; None: not known."""

    server: str
    eligible: float | None
    "WAL entries a second handed to the library, attempts counted again"
    shipped: float | None
    "operations a second that HBase counts as shipped (in a dry run too)"
    seconds: float
    "between the two looks"


@dataclass(frozen=True)
class Retry:
    """One region server that hands the same entries over again while nothing is shipped."""

    server: str
    per_second: float
    "entries tried; at least"
    seconds: float
    "seen so far"
    pace: Pace

    @property
    def spinning(self) -> bool:
        return self.pace == "loop"


def rates(history: Sequence[ClusterView], peer_id: str) -> tuple[Rate, ...]:
    """One rate a region server whose page the newest view holds, by server."""
    return tuple(_rate(pages, peer_id) for pages in _servers(history))


def retries(history: Sequence[ClusterView], peer_id: str) -> tuple[Retry, ...]:
    """The servers that only retry, the fastest first."""
    found = (_retry(pages, peer_id) for pages in _servers(history))
    return tuple(sorted((one for one in found if one is not None), key=lambda one: -one.per_second))


def standing(history: Sequence[ClusterView], peer_id: str) -> tuple[str, ...]:
    """Servers on which nothing is handed over and nothing shipped, for longer than the bean's cache."""
    return tuple(rate.server for rate in rates(history, peer_id) if rate.eligible == 0 and rate.shipped == 0)


def outrun(history: Sequence[ClusterView], peer_id: str) -> list[int]:
    """The peer's largest lag in the newest distinct looks of a minute, since it was least, oldest first; empty unless
    it only grew although something was shipped meanwhile, which tells a slow target from one that stopped."""
    found: dict[float, tuple[ReplicationQueue, ...]] = {}
    newest = history[-1].load.at or 0.0
    for view in history:
        if view.load.current is not None and view.load.at and newest - view.load.at <= 60:
            found[view.load.at] = view.queues(peer_id)
    looks = list(found.values())
    lags = [max((queue.lag_ms for queue in queues), default=0) for queues in looks]
    start = max((n for n, lag in enumerate(lags) if lag == min(lags)), default=0)
    looks, lags = looks[start:], lags[start:]
    return lags if lags == sorted(lags) and any(_shipped(*pair) for pair in pairwise(looks[1:])) else []


def _shipped(before: Sequence[ReplicationQueue], after: Sequence[ReplicationQueue]) -> bool:
    earlier = {(queue.server, queue.queue_id): queue for queue in before}
    return any(moved(earlier[key], q) for q in after if (key := (q.server, q.queue_id)) in earlier)


def spin_cost(rate: float) -> str:
    """What attempts at this rate a second cost a region server: log and CPU, as words."""
    part = rate / SPIN_PER_SECOND
    log = f"{size(part * SPIN_LOG_BYTES_PER_HOUR)} of log an hour"
    core = "one core" if 0.75 <= part < 1.5 else f"{percent(part)} of a core"
    return f"{log} and about {core}"


def _servers(history: Sequence[ClusterView]) -> list[list[ServerFacts]]:
    """The distinct pages of each region server of the newest view within the window, oldest first."""
    newest = history[-1].servers.current if history else None
    found = {f.server: [f] for f in newest or () if f.role == REGION_SERVER and not f.error}
    for view in reversed(history[:-1]):
        older = [facts for facts in view.servers.current or () if facts.role == REGION_SERVER and not facts.error]
        kept = [_keep(found.get(facts.server), facts) for facts in older]
        if kept and not any(kept):
            break
    return [pages[::-1] for _, pages in sorted(found.items())]


def _keep(pages: list[ServerFacts] | None, facts: ServerFacts) -> bool:
    """Puts an older page behind its newer ones; False: it is out of the window, or nobody asks for it."""
    if pages is None or pages[0].at_ms - facts.at_ms > WINDOW_SECONDS * 1000:
        return False
    if facts.at_ms < pages[-1].at_ms:
        pages.append(facts)
    return True


def _rate(pages: Sequence[ServerFacts], peer_id: str) -> Rate:
    first, last = pages[0], pages[-1]
    seconds = (last.at_ms - first.at_ms) / 1000
    found = counters([last])
    if len(pages) < 2 or left_behind(found, peer_id):
        return Rate(last.server, None, None, seconds)
    gained = deltas(counters([first]), found)
    tried = of_peer(gained, peer_id, *library.ELIGIBLE_ENTRIES)
    shipped = of_peer(gained, peer_id, library.SHIPPED)
    if not (tried or shipped) and seconds < library.CACHE_SECONDS:
        return Rate(last.server, None, None, seconds)
    span = max(seconds, library.CACHE_SECONDS)
    return Rate(last.server, _per(tried, span), _per(shipped, span), seconds)


def _per(gained: int | None, seconds: float) -> float | None:
    return None if gained is None else gained / seconds


def _retry(pages: Sequence[ServerFacts], peer_id: str) -> Retry | None:
    """Judged over the newest pages that show the same number shipped, so that a stall is seen from its second page."""
    newest = counters([pages[-1]])
    shipped = of_peer(newest, peer_id, library.SHIPPED)
    if shipped is None:
        return None
    run = [page for page in pages if of_peer(counters([page]), peer_id, library.SHIPPED) == shipped]
    looks = [counters([page]) for page in run]
    first = looks[0]
    if _repeated(newest, peer_id) <= _repeated(first, peer_id):
        return None
    gained = _tried(newest, peer_id) - _tried(first, peer_id)
    if gained <= 0:
        return None
    seconds = (run[-1].at_ms - run[0].at_ms) / 1000
    per_second = gained / max(seconds, library.CACHE_SECONDS)
    read = (of_peer(newest, peer_id, library.READ) or 0) - (of_peer(newest, peer_id, library.FILTERED) or 0)
    certain = gained >= CERTAIN_ATTEMPTS * max(1, min(read, BATCH_ENTRIES))
    return Retry(pages[-1].server, per_second, seconds, "loop" if certain else _pace(looks, peer_id))


def _tried(found: Counters, peer_id: str, queue: str = "") -> int:
    """Entries handed over so far, of one queue or of all the peer's."""
    ours = (key for key in found if key.peer == peer_id and key.name in library.ELIGIBLE_ENTRIES)
    return sum(found[key] for key in ours if not queue or key.queue == queue)


def _pace(looks: Sequence[Counters], peer_id: str) -> Pace:
    """Of the queue that tries fastest."""
    queues = {key.queue for key in looks[-1] if key.peer == peer_id}
    found = {_queue_pace([_tried(look, peer_id, queue) for look in looks]) for queue in queues}
    order: tuple[Pace, ...] = ("loop", "unclear", "slow")
    return next(pace for pace in order if pace in found)


def _queue_pace(tried: Sequence[int]) -> Pace:
    """A batch tried once a timeout counts many entries too, but every rise is that batch, once or a few times.

    No rate tells: a loop may have begun a moment before the bean moved, or starve on a busy machine.
    """
    steps = [after - before for before, after in pairwise(tried) if after > before]
    if sum(steps) < CERTAIN_ATTEMPTS:
        return "slow"
    if len(steps) < 2:
        return "unclear"
    batch = min(steps)
    return "slow" if all(step % batch == 0 and step // batch < CERTAIN_ATTEMPTS for step in steps) else "loop"


def _repeated(found: Counters, peer_id: str) -> int:
    return sum(repeats(found, key) for key in found if key.peer == peer_id and key.name == library.READ)
