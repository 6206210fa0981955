"""What a replication peer really does: disabled, idle, stalled, catching up, or not known. Pure; read by
every front end.

Invariant: HBase's own lag of 0 never makes a peer healthy. A disabled peer with a backlog, a source that
has not started and a reader that sleeps all show lag 0, so the enabled flag, the queue, the reports' times
and what moved between them are joined, a region server and queue at a time, and the worst one speaks for
the peer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hbase_ferry.insight.format import count, duration, millis, moment, plural
from hbase_ferry.insight.queues import (
    STALE_SECONDS,
    STALL_SECONDS,
    PeerState,
    QueueTruth,
    Report,
    Rules,
    describe_rate,
    judge_queue,
    longest_pause,
    lowest_limit,
    waiting_wals,
    wal_groups,
)
from hbase_ferry.insight.versions import idle_backoff, rich_source_load
from hbase_ferry.model.cluster import ClusterView, Peer, ReplicationQueue

__all__ = ["PeerState", "PeerTruth", "dark_servers", "held_back", "judge_peer", "lasting_dark_servers"]

WATCH_SECONDS = 330.0
"""How far back a verdict looks: a sleeping reader (300 s) must be told from a stuck one."""
DARK_SECONDS = 10.0
"""How long a server may be without a new peer's queue: a few heartbeats."""
MAX_EVIDENCE = 6
_BADNESS = (PeerState.STALLED, PeerState.UNKNOWN, PeerState.CATCHING_UP, PeerState.IDLE, PeerState.DISABLED)


@dataclass(frozen=True)
class PeerTruth:
    """What one peer does. `text` is one sentence with its numbers and its age."""

    peer_id: str
    state: PeerState
    text: str
    lag_ms: int | None
    "HBase's lag where it can be believed, the largest of all queues; None: no number can be given"
    queued_wals: int | None
    "closed WALs that wait, over all servers; the open WALs come on top. None: not observed"
    servers: int
    "region servers that report a queue of this peer"
    shipped_per_second: float | None
    "operations, not rows: shipped again after every disable and enable"
    since: float | None
    "epoch seconds: begin of this state as far back as the history goes"
    evidence: tuple[str, ...]
    "one sentence a queue or server, the worst first"


def dark_servers(view: ClusterView, peer_id: str) -> tuple[str, ...]:
    """Live region servers that report no queue of the peer: what they write is not kept for it.

    Live is who the identity names, or who sent a heartbeat where only the load was read. Where the load
    was not observed, every server that is known counts as dark: unknown is not success.
    """
    heard = tuple(sorted(load.server for load in view.load.value or ()))
    if view.load.current is None:
        known = view.identity.value.servers if view.identity.value else heard
        return known or ("every region server (none was observed)",)
    holding = {queue.server for queue in view.queues(peer_id)}
    live = view.identity.current.servers if view.identity.current else heard
    return tuple(server for server in live if server not in holding)


def lasting_dark_servers(history: Sequence[ClusterView], peer_id: str) -> tuple[str, ...]:
    """`dark_servers` of the newest view, without those that a look DARK_SECONDS ago or later showed otherwise: a new
    peer's queues, and a new server's, are in the next heartbeats."""
    dark, since = dark_servers(history[-1], peer_id), (history[-1].load.at or 0) - DARK_SECONDS
    for older in history[:-1]:
        if older.load.current is not None and (older.load.at or 0) > since:
            absent = older.peers.current is not None and older.peer(peer_id) is None
            dark = () if absent else tuple(server for server in dark if server in dark_servers(older, peer_id))
    return dark


def judge_peer(
    peer_id: str,
    history: Sequence[ClusterView],
    *,
    now: float | None = None,
    stall_seconds: float = STALL_SECONDS,
    stale_seconds: float = STALE_SECONDS,
    max_age_seconds: float = 60.0,
) -> PeerTruth:
    """The truth about one peer of the source, from its views, oldest first.

    `now` (epoch seconds of this machine) defaults to the newest moment in the history. A report is stale
    when looks of `stale_seconds` show no newer one, and the whole load is after `max_age_seconds` without
    a look. Never raises.
    """
    if not history:
        return _unknown(peer_id, "nothing was observed yet")
    view = history[-1]
    now = _newest(view) if now is None else now
    blind = _blind(peer_id, view, now, max_age_seconds)
    if blind is not None:
        return blind
    peer = view.peer(peer_id)
    if peer is None:
        return _unknown(peer_id, f"peer {peer_id} does not exist on {view.name}")
    if not peer.enabled:
        return _disabled(peer, history, now)
    run, rules = _rules(peer_id, history, now, stall_seconds, stale_seconds)
    truths = [judge_queue(reports, rules) for reports in _reports(peer_id, run, now).values()]
    truths += _dark(peer_id, run, rules)
    if not truths:
        return _unknown(peer_id, f"no region server of {view.name} reports a queue of peer {peer_id}")
    return _join(peer, view, truths, rules, _version(view), now)


def held_back(peer_id: str, history: Sequence[ClusterView]) -> dict[tuple[str, str], QueueTruth]:
    """(server, queue id) -> verdict of each queue that may be waiting for the peer's bandwidth limit alone; empty
    where no limit was in force since the peer was enabled."""
    now = _newest(history[-1])
    run, rules = _rules(peer_id, history, now)
    if not rules.pause:
        return {}
    judged = {key: judge_queue(reports, rules) for key, reports in _reports(peer_id, run, now).items()}
    return {key: truth for key, truth in judged.items() if truth.limited}


def _rules(
    peer_id: str,
    history: Sequence[ClusterView],
    now: float,
    stall_seconds: float = STALL_SECONDS,
    stale_seconds: float = STALE_SECONDS,
) -> tuple[tuple[ClusterView, ...], Rules]:
    """The views through which the peer was enabled, and what a verdict on its queues needs to know."""
    view = history[-1]
    run, enabled_at = _enabled_run(peer_id, history)
    pause = longest_pause(lowest_limit(run, peer_id), view)
    backs_off = idle_backoff(_version(view))
    looked = view.load.at or now
    return run, Rules(looked, enabled_at, wal_groups(view), backs_off, stall_seconds, stale_seconds, pause)


def _version(view: ClusterView) -> str:
    return view.identity.value.hbase_version if view.identity.value else ""


def _newest(view: ClusterView) -> float:
    parts = (view.load, view.peers, view.identity, view.disk, view.tables, view.snapshots, view.writes)
    return max((part.at for part in parts if part.at is not None), default=0.0)


def _unknown(peer_id: str, text: str) -> PeerTruth:
    return PeerTruth(peer_id, PeerState.UNKNOWN, text, None, None, 0, None, None, (text,))


def _blind(peer_id: str, view: ClusterView, now: float, max_age_seconds: float) -> PeerTruth | None:
    """The verdict while peers or load cannot be read; None: both were."""
    for what, part in (("peers", view.peers), ("replication load", view.load)):
        if part.current is None:
            seen = "never seen" if part.at is None else f"last seen {duration(max(0.0, now - part.at))} ago"
            why = part.error or "not asked"
            return _unknown(peer_id, f"the {what} of {view.name} could not be read ({why}), {seen}")
        if part.at is not None and now - part.at > max_age_seconds:
            old, allowed = duration(now - part.at), duration(max_age_seconds)
            return _unknown(peer_id, f"the {what} of {view.name} was read {old} ago, more than {allowed}")
    return None


def _enabled_run(
    peer_id: str, history: Sequence[ClusterView]
) -> tuple[tuple[ClusterView, ...], float | None]:
    """The newest views through which the peer was enabled, and when it was seen to turn so (None: before
    them)."""
    run: list[ClusterView] = []
    for view in reversed(history):
        peer = view.peer(peer_id)
        if view.peers.current is not None and (peer is None or not peer.enabled):
            return tuple(reversed(run)), run[-1].peers.at if run else None
        run.append(view)
    return tuple(reversed(run)), None


def _reports(peer_id: str, run: Sequence[ClusterView], now: float) -> dict[tuple[str, str], list[Report]]:
    """Each queue's distinct reports within the watch, oldest first; only of queues that the newest view
    still has."""
    present = {(queue.server, queue.queue_id) for queue in run[-1].queues(peer_id)}
    found: dict[tuple[str, str], list[Report]] = {}
    last_at: float | None = None
    for view in run:
        at = view.load.at
        if at is None or view.load.current is None or at == last_at or now - at > WATCH_SECONDS:
            continue
        last_at = at
        for load in view.load.current:
            for queue in load.queues:
                if queue.peer == peer_id and (queue.server, queue.queue_id) in present:
                    _append(found.setdefault((queue.server, queue.queue_id), []), at, load.reported_ms, queue)
    return found


def _append(reports: list[Report], at: float, reported_ms: int, queue: ReplicationQueue) -> None:
    if not reports or reports[-1].reported_ms != reported_ms:
        reports.append(Report(at, reported_ms, queue))


def _dark(peer_id: str, run: Sequence[ClusterView], rules: Rules) -> list[QueueTruth]:
    """Verdicts on live servers without a queue: the edits they write wait for nobody. A new one gets some
    time."""
    now_dark = dark_servers(run[-1], peer_id)
    if not now_dark:
        return []
    past = [
        (view.load.at, frozenset(dark_servers(view, peer_id)))
        for view in reversed(run)
        if view.load.current is not None and view.load.at and rules.now - view.load.at <= WATCH_SECONDS
    ]
    found = []
    for server in now_dark:
        since = rules.now
        for at, dark in past:
            if server not in dark:
                break
            since = min(since, at)
        dark_for = rules.now - since
        state = PeerState.STALLED if dark_for >= rules.stall_seconds else PeerState.UNKNOWN
        text = f"{server}: live, but reports no queue of peer {peer_id} for {duration(dark_for)}"
        found.append(QueueTruth(state, text, 0, None, since, None, None))
    return found


def _join(
    peer: Peer, view: ClusterView, truths: list[QueueTruth], rules: Rules, version: str, now: float
) -> PeerTruth:
    ordered = sorted(truths, key=lambda truth: (_BADNESS.index(truth.state), truth.text))
    state = ordered[0].state
    same = [truth for truth in ordered if truth.state is state]
    queues = view.queues(peer.id)
    queued = sum(waiting_wals(queue, rules.groups) for queue in queues)
    servers = len({queue.server for queue in queues})
    lag = _lag(state, ordered)
    rates = [truth.per_second for truth in truths if truth.per_second is not None]
    per_second = sum(rates) if rates else None
    since = max(t.since for t in same) if state is PeerState.IDLE else min(t.since for t in same)
    sentence = {
        PeerState.STALLED: lambda: _stalled_text(same, queued, servers, since),
        PeerState.UNKNOWN: lambda: f"not known: {_worst_text(same)}",
        PeerState.CATCHING_UP: lambda: _catching_text(queued, servers, lag, per_second),
    }.get(state, lambda: _idle_text(ordered, servers, lag, per_second, version))()
    text = f"{sentence}{_age(view, now)}"
    known_since = None if state is PeerState.UNKNOWN else since
    evidence = _evidence(truth.text for truth in ordered)
    return PeerTruth(peer.id, state, text, lag, queued, servers, per_second, known_since, evidence)


def _lag(state: PeerState, truths: Iterable[QueueTruth]) -> int | None:
    """The largest believable lag. A stalled or unclear peer has no lag of 0."""
    lags = [truth.lag_ms for truth in truths]
    known = [lag for lag in lags if lag is not None]
    if state in (PeerState.STALLED, PeerState.UNKNOWN):
        return max(known, default=0) or None
    return None if len(known) < len(lags) or not known else max(known)


def _worst_text(truths: Sequence[QueueTruth]) -> str:
    more = f" (and {plural(len(truths) - 1, 'other queue')} likewise)" if len(truths) > 1 else ""
    return truths[0].text + more


def _stalled_text(same: Sequence[QueueTruth], queued: int, servers: int, since: float) -> str:
    total = max(servers, len(same))
    closed = plural(queued, "closed WAL")
    where = f"on {len(same)} of {plural(total, 'server')}"
    return f"stalled since {moment(since)} {where}, {closed} queued: {_worst_text(same)}"


def _catching_text(queued: int, servers: int, lag: int | None, per_second: float | None) -> str:
    lag_text = "lag not known" if lag is None else f"lag {millis(lag)}"
    closed = plural(queued, "closed WAL")
    where = plural(servers, "server")
    return f"catching up: {closed} queued on {where}, {lag_text}, {describe_rate(per_second)}"


def _idle_text(
    truths: Sequence[QueueTruth], servers: int, lag: int | None, per_second: float | None, version: str
) -> str:
    where = plural(servers, "server")
    if per_second is not None and per_second >= 0.5:
        return f"keeping up: {describe_rate(per_second)} from {where}, lag {millis(lag)}, no closed WAL waits"
    quiet = [truth.idle_seconds for truth in truths]
    known = [seconds for seconds in quiet if seconds is not None]
    last = f"last shipment {duration(min(known))} ago" if known else "no shipment known"
    sleep = ", and an idle reader of this line may sleep up to 5 min" if idle_backoff(version) else ""
    blind = ", and this line shows no lag of an open WAL" if not rich_source_load(version) else ""
    proof = f"only a canary row proves a drain{sleep}{blind}"
    return f"idle: no closed WAL waits on {where}, {last}; {proof}"


def _disabled(peer: Peer, history: Sequence[ClusterView], now: float) -> PeerTruth:
    view, groups = history[-1], wal_groups(history[-1])
    since = view.peers.at
    for earlier in reversed(history):
        if earlier.peers.current is None:
            continue
        found = earlier.peer(peer.id)
        if found is None or found.enabled:
            break
        since = earlier.peers.at
    queues = view.queues(peer.id)
    queued = sum(waiting_wals(queue, groups) for queue in queues)
    servers = len({queue.server for queue in queues})
    dark = dark_servers(view, peer.id)
    missing = f"; {plural(len(dark), 'live server')} without a queue" if dark else ""
    held = f"{plural(queued, 'closed WAL')} and the open ones of {plural(servers, 'server')}"
    lasted = duration(max(0.0, now - (since or now)))
    text = f"disabled for at least {lasted}: holding back {held}{missing}{_age(view, now)}"
    lines = [f"{server}: live, but reports no queue of peer {peer.id}" for server in dark]
    lines += [
        f"{queue.server}: {plural(queue.size, 'WAL')} in the queue, the open one included" for queue in queues
    ]
    lines.append("HBase shows lag 0 for a disabled peer, whatever it holds back")
    return PeerTruth(peer.id, PeerState.DISABLED, text, None, queued, servers, 0.0, since, _evidence(lines))


def _age(view: ClusterView, now: float) -> str:
    seen = view.load.at
    return "" if seen is None else f" ({duration(float(round(max(0.0, now - seen))))} old)"


def _evidence(lines: Iterable[str]) -> tuple[str, ...]:
    every = tuple(lines)
    if len(every) <= MAX_EVIDENCE:
        return every
    return (*every[: MAX_EVIDENCE - 1], f"and {count(len(every) - MAX_EVIDENCE + 1)} more")
