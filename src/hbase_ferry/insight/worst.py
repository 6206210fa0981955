"""The one line on top of the screen: the worst thing that is true now. Pure.

Invariant: silence is never good news. The line says "ok" only while both sides are reached, their values
are fresh and nothing observed is wrong; a value that is missing makes it a warning. Called once a refresh
by every front end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from hbase_ferry.insight.disk import Runway, runway
from hbase_ferry.insight.format import duration, millis, moment, percent, plural, size
from hbase_ferry.insight.lag import PeerState, PeerTruth, dark_servers, judge_peer
from hbase_ferry.model.cluster import ClusterView

Severity: TypeAlias = Literal["ok", "warn", "bad"]

WARN_RUNWAY_FACTOR = 4.0
"""A disk that lasts less than this many times the gate's hours is worth a warning."""


class Thresholds(Protocol):
    """What counts as bad; `migration.settings.GateSettings` has these."""

    @property
    def max_lag_ms(self) -> int: ...
    @property
    def min_free_fraction(self) -> float: ...
    @property
    def min_runway_hours(self) -> float: ...
    @property
    def max_age_seconds(self) -> float: ...


@dataclass(frozen=True)
class DefaultThresholds:
    """Used where no settings are at hand."""

    max_lag_ms: int = 10_000
    min_free_fraction: float = 0.15
    min_runway_hours: float = 4.0
    max_age_seconds: float = 60.0


@dataclass(frozen=True)
class Headline:
    """One line and how bad it is."""

    severity: Severity
    text: str


def worst(
    source_history: Sequence[ClusterView],
    target: ClusterView,
    thresholds: Thresholds | None = None,
    *,
    peer_id: str = "",
    hold_back: bool = False,
    now: float | None = None,
) -> Headline:
    """The worst of everything observed.

    `peer_id` is this migration's peer: its troubles are bad, another peer's a warning. `hold_back`: that
    peer must be disabled now, because the history is not on the target yet. `now` defaults to the newest
    moment observed.
    """
    limits = thresholds or DefaultThresholds()
    if not source_history:
        return Headline("warn", "nothing was observed yet")
    source = source_history[-1]
    now = max(_newest(source), _newest(target)) if now is None else now
    found = [
        *_reach((source, target), limits, now),
        *_holding(source, peer_id, hold_back),
        *_disk(source, runway(source_history), limits),
        *_servers((source, target)),
        *_peers(source, source_history, peer_id, limits, now),
        *_pieces((source, target)),
    ]
    for severity in ("bad", "warn"):
        for headline in found:
            if headline.severity == severity:
                return headline
    return Headline("ok", "nothing is wrong that can be seen")


def _newest(view: ClusterView) -> float:
    return max((at for at in (view.load.at, view.peers.at, view.identity.at) if at is not None), default=0.0)


def _reach(sides: Sequence[ClusterView], limits: Thresholds, now: float) -> Iterator[Headline]:
    for view in sides:
        seen = _newest(view)
        parts = (view.identity, view.peers, view.load)
        if all(part.error is not None for part in parts):
            since = f"since {moment(seen)}" if seen else "and never was"
            yield Headline("bad", f"{view.side} {view.name} is not reachable {since}: {view.identity.error}")
        elif not seen:
            yield Headline("warn", f"{view.side} {view.name} was not observed yet")
        elif now - seen > limits.max_age_seconds:
            allowed = duration(limits.max_age_seconds)
            old = duration(now - seen)
            yield Headline("warn", f"values of {view.side} {view.name} are {old} old, more than {allowed}")


def _holding(source: ClusterView, peer_id: str, hold_back: bool) -> Iterator[Headline]:
    peer = source.peer(peer_id) if peer_id else None
    if peer is None or not hold_back:
        return
    if peer.enabled:
        yield Headline("bad", f"peer {peer_id} is ENABLED before the history is on the target: disable it")
        return
    dark = (
        dark_servers(source, peer_id) if source.load.current is not None and source.identity.current else ()
    )
    if dark:
        servers = plural(len(dark), "region server")
        yield Headline("bad", f"{servers} without a queue of peer {peer_id}: writes there are not held back")


def _disk(source: ClusterView, found: Runway, limits: Thresholds) -> Iterator[Headline]:
    if found.hours is not None:
        low = found.hours < limits.min_runway_hours
        if low or found.hours < WARN_RUNWAY_FACTOR * limits.min_runway_hours:
            left = duration(found.hours * 3600)
            grows = f"{size(found.growth_bytes_per_hour)} an hour"
            yield Headline("bad" if low else "warn", f"disk of {source.name} full in {left}, growing {grows}")
    disk = source.disk.current
    if disk is None:
        if source.disk.error is not None:
            yield Headline("warn", f"disk of {source.name} not known: {source.disk.error}")
    elif 0 < disk.capacity < 1 << 60 and disk.remaining < limits.min_free_fraction * disk.capacity:
        free = percent(max(0, disk.remaining) / disk.capacity)
        least = percent(limits.min_free_fraction)
        yield Headline("bad", f"{free} of the disk of {source.name} is free, less than {least}")


def _servers(sides: Sequence[ClusterView]) -> Iterator[Headline]:
    for view in sides:
        identity = view.identity.current
        if identity is not None and identity.dead_servers:
            dead = plural(len(identity.dead_servers), "dead region server")
            yield Headline("warn", f"{dead} on {view.side} {view.name}: {identity.dead_servers[0]}")


def _peers(
    source: ClusterView, history: Sequence[ClusterView], ours: str, limits: Thresholds, now: float
) -> Iterator[Headline]:
    for peer in source.peers.current or ():
        truth = judge_peer(peer.id, history, now=now, max_age_seconds=limits.max_age_seconds)
        mine = peer.id == ours
        if truth.state is PeerState.STALLED:
            yield Headline("bad" if mine else "warn", f"peer {peer.id} {truth.text}")
        elif truth.state is PeerState.UNKNOWN and source.load.current is not None:
            yield Headline("warn", f"peer {peer.id}: {truth.text}")
        elif mine:
            yield from _lag(truth, limits)


def _lag(truth: PeerTruth, limits: Thresholds) -> Iterator[Headline]:
    if truth.lag_ms is not None and truth.lag_ms > limits.max_lag_ms:
        allowed = f"more than {millis(limits.max_lag_ms)}"
        yield Headline("warn", f"peer {truth.peer_id} lags {millis(truth.lag_ms)}, {allowed}")


def _pieces(sides: Sequence[ClusterView]) -> Iterator[Headline]:
    """Single parts that could not be read while the side as a whole answers."""
    for view in sides:
        named = (("tables", view.tables), ("peers", view.peers), ("replication load", view.load))
        for what, part in (*named, ("snapshots", view.snapshots), ("identity", view.identity)):
            if part.error is not None:
                yield Headline("warn", f"{what} of {view.side} {view.name} not known: {part.error}")
