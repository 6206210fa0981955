"""What a view means, in the words and numbers the panes show. The only module of the console that asks `insight`.

Invariant: a function of a view, the views before it and the moment; nothing here touches a cluster or the screen.
Called by `app` once a refresh; `sides`, `steps`, `headline` and `charts` turn its result into lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hbase_ferry.console.ports import History, Service
from hbase_ferry.console.words import coarse, left
from hbase_ferry.insight.disk import Runway, runway
from hbase_ferry.insight.format import duration, millis, moment, plural, rate, size
from hbase_ferry.insight.lag import PeerState, PeerTruth, judge_peer
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.insight.worst import Headline, worst
from hbase_ferry.migration.core import HISTORY, StepState, StepStatus
from hbase_ferry.model.cluster import ClusterView, Peer, Side
from hbase_ferry.model.view import View

_PEER_ROLE = {
    PeerState.DISABLED: "warn",
    PeerState.IDLE: "ok",
    PeerState.CATCHING_UP: "accent",
    PeerState.STALLED: "bad",
    PeerState.UNKNOWN: "stale",
}


@dataclass(frozen=True)
class PeerRow:
    """One peer: its state in a word with that word's role, and what to know about it."""

    id: str
    word: str
    role: str
    text: str
    to: str


@dataclass(frozen=True)
class Series:
    """One curve: epoch seconds and value, None where it was not known; `now` is its newest number in words."""

    name: str
    points: tuple[tuple[float, float | None], ...]
    now: str
    role: str = "text"
    right: bool = False
    "its scale stands on the right side"


@dataclass(frozen=True)
class Reading:
    """Everything the panes show of one view."""

    view: View
    now: float
    status: tuple[StepStatus, ...]
    worst: tuple[str, str]
    "the headline and its role"
    peers: Mapping[Side, tuple[PeerRow, ...]]
    lag: tuple[Series, ...] = ()
    "seconds, one a peer"
    disk: tuple[Series, ...] = ()
    "bytes: what WALs hold, and what is free"
    runway: str = ""
    moved: frozenset[str] = frozenset()
    "the tables this migration moves"
    left: Mapping[str, str] = field(default_factory=dict)
    "step id -> time left, in words"
    causes: tuple[Cause, ...] = ()
    "why this migration's peer stalls, as far as both sides show it"
    peer_id: str = ""
    "this migration's peer"

    @property
    def current(self) -> int | None:
        """Index of the first step that is known not to be done, else of the first that may not be; None: finished."""
        known = (StepState.DONE, StepState.UNKNOWN)
        sure = next((i for i, each in enumerate(self.status) if each.state not in known), None)
        open_ = next((i for i, each in enumerate(self.status) if each.state is not StepState.DONE), None)
        return sure if sure is not None else open_


class Reader:
    """Turns views into readings. Keeps verdicts until a new look arrives, and the pace of running steps."""

    def __init__(self, service: Service, history: History) -> None:
        self._service, self._history = service, history
        self._truths: dict[str, PeerTruth] = {}
        self._pace: dict[str, tuple[float, int]] = {}
        self._judged: tuple[object, ...] = ()
        self._runway = Runway(None, None, None, 0, "")
        self._headline = Headline("warn", "nothing was observed yet")
        self._causes: tuple[Cause, ...] = ()

    def read(self, view: View) -> Reading:
        """The reading of this view, now."""
        now = self._service.clock.now()
        status = self._service.status(view)
        self._judge(view, status, now)
        return Reading(
            view=view,
            now=now,
            status=status,
            worst=(self._headline.text, self._headline.severity),
            peers={side: self._peers(view, side) for side in Side},
            lag=self._lag_series(view),
            disk=self._disk_series(view),
            runway=_runway_words(self._runway),
            causes=self._causes,
            peer_id=self._service.settings.peer_id,
            moved=frozenset(table.name for table in self._service.settings.tables),
            left={each.step.id: self._left(each, now) for each in status if each.state is StepState.RUNNING},
        )

    def _judge(self, view: View, status: Sequence[StepStatus], now: float) -> None:
        """Verdicts over time are made again once a new look at either side is there."""
        held_back = _held_back(status, view)
        mark = (_moments(view.source), _moments(view.target), int(now // 10), held_back)
        if mark == self._judged:
            return
        self._judged = mark
        views = self._history.side(Side.SOURCE) or (view.source,)
        settings = self._service.settings
        self._truths = {peer.id: judge_peer(peer.id, views, now=now) for peer in view.source.peers.value or ()}
        self._runway = runway(views)
        self._causes = self._service.causes(view)
        self._headline = worst(
            views, view.target, settings.gates, peer_id=settings.peer_id, hold_back=held_back, now=now
        )

    def _peers(self, view: View, side: Side) -> tuple[PeerRow, ...]:
        own = self._service.settings.peer_id
        peers = sorted(view.side(side).peers.value or (), key=lambda peer: (peer.id != own, peer.id))
        if side is Side.SOURCE:
            return tuple(self._source_peer(peer, view) for peer in peers)
        return tuple(
            PeerRow(p.id, "enabled" if p.enabled else "disabled", "text" if p.enabled else "warn", "", _to(p, view, ""))
            for p in peers
        )

    def _source_peer(self, peer: Peer, view: View) -> PeerRow:
        truth, to = self._truths.get(peer.id), _to(peer, view, self._service.settings.peer_id)
        if truth is None:
            return PeerRow(peer.id, PeerState.UNKNOWN, "stale", "not judged yet", to)
        return PeerRow(peer.id, truth.state, _PEER_ROLE[truth.state], _short(truth), to)

    def _lag_series(self, view: View) -> tuple[Series, ...]:
        made = []
        for peer in view.source.peers.value or ():
            truth = self._truths.get(peer.id)
            if truth is not None:
                number = millis(truth.lag_ms) if truth.lag_ms is not None else f"{truth.state}, no number"
                role = "bad" if truth.state is PeerState.STALLED else "text"
                millis_ = self._history.lag_series(peer.id)
                points = tuple((at, None if lag is None else lag / 1000) for at, lag in millis_)
                made.append(Series(peer.id, points, number, role))
        return tuple(made)

    def _disk_series(self, view: View) -> tuple[Series, ...]:
        disk = view.source.disk.current
        kept, free = self._history.backlog_series(), self._history.free_series()
        if not kept:
            return ()
        of = f" of {size(disk.capacity)}" if disk else ""
        return (
            Series("WALs", tuple(kept), size(kept[-1][1])),
            Series("free", tuple(free), size(free[-1][1]) + of, right=True),
        )

    def _left(self, status: StepStatus, now: float) -> str:
        progress = status.progress
        if progress is None or not progress.total or progress.done >= progress.total:
            return ""
        begun, first = self._pace.setdefault(status.step.id, (now, progress.done))
        if progress.done < first:
            self._pace[status.step.id] = (now, progress.done)
            return ""
        moved, took = progress.done - first, now - begun
        if moved <= 0 or took < 3:
            return ""
        return left((progress.total - progress.done) / (moved / took))


def _moments(cluster: ClusterView) -> tuple[object, ...]:
    parts = (cluster.identity, cluster.peers, cluster.load, cluster.disk, cluster.servers, cluster.tables)
    return tuple((part.at, part.error) for part in parts)


def _held_back(status: Sequence[StepStatus], view: View) -> bool:
    """Whether this migration's peer has to be disabled now: the history is seen not to be on the target yet."""
    enabling = next((each.step for each in status if each.step.id == "enable-peer"), None)
    if enabling is None or enabling.superseded(view):
        return False
    return any(gate.open is False for gate in enabling.gates(view) if gate.name.startswith(f"{HISTORY}."))


def _to(peer: Peer, view: View, ours: str) -> str:
    """Where a peer leads: a side of this migration by its name, else its cluster key or its endpoint's class."""
    if peer.endpoint:
        return view.target.name if peer.id == ours else peer.endpoint.rsplit(".", 1)[-1]
    for cluster in (view.target, view.source):
        identity = cluster.identity.value
        if identity is not None and identity.cluster_key and identity.cluster_key == peer.cluster_key:
            return cluster.name
    return peer.cluster_key


def _short(truth: PeerTruth) -> str:
    """The verdict in a few words that change only when the facts do."""
    queued = plural(truth.queued_wals, "WAL") if truth.queued_wals is not None else "unknown WALs"
    if truth.state is PeerState.DISABLED:
        return f"holding back {queued}" if truth.queued_wals != 0 else "holding the open WALs"
    if truth.state is PeerState.STALLED:
        return f"since {moment(truth.since)}, {queued} queued"
    if truth.state is PeerState.CATCHING_UP:
        lag = "" if truth.lag_ms is None else f", lag {millis(truth.lag_ms)}"
        return f"{queued} queued{lag}, {rate(truth.shipped_per_second)}"
    if truth.state is PeerState.IDLE:
        return f"keeping up, {rate(truth.shipped_per_second)}" if truth.shipped_per_second else "nothing waits"
    return truth.text


def _runway_words(found: Runway) -> str:
    if found.hours is None:
        return ""
    return f"disk full in {duration(float(coarse(found.hours * 3600)))}"
