"""Why a peer that ships to Bigtable stalls: what both sides show that would stop it, with evidence and remedy.

Nothing in HBase says why: isRunning stays true, failedBatches 0, and the log never names the table. So the peer's
tables are compared with the instance's, and the counters tell a loop without a pause (schema, rights) from slow retries
(target away). Invariant: a cause is named only from something observed. Called for the chosen peer by the console, and
by the steps that wait for a peer (`migration.targets.TargetKind.causes`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from hbase_ferry.insight.bigtable import connection, divergence, library, startup
from hbase_ferry.insight.bigtable.counters import counters, of_peer
from hbase_ferry.insight.bigtable.pages import SERVING, number, read, value
from hbase_ferry.insight.bigtable.rates import (
    SPIN_PER_SECOND,
    WINDOW_SECONDS,
    Rate,
    Retry,
    outrun,
    rates,
    retries,
    spin_cost,
    standing,
)
from hbase_ferry.insight.format import count, duration, millis, plural, rate
from hbase_ferry.insight.lag import held_back
from hbase_ferry.insight.queues import KEEPING_UP_MS, lowest_limit
from hbase_ferry.insight.stalls import Cause, covered_tables, limited
from hbase_ferry.model.bigtable.names import ROW_MUTATIONS, family_fault, table_fault
from hbase_ferry.model.cluster import ClusterView, Observed, Peer, ReplicationQueue, ServerFacts

__all__ = ["Rate", "Retry", "causes", "rates", "retries", "spin_cost"]


def causes(
    peer_id: str,
    source_history: Sequence[ClusterView],
    target: ClusterView,
    not_started: Mapping[str, str] | None = None,
    failed: Collection[str] = (),
) -> tuple[Cause, ...]:
    """Every cause that the newest views show, the likeliest first; empty: none is seen, which does not mean none is.

    `not_started` as `startup.since` gave it, since when the endpoint is not started; `failed`: servers on which a start
    failed, as `startup.failed` gave them. Both from before the history.

    The ways to diverge come last: they stop nothing. What a disabled peer will find missing may not be there yet on
    purpose. Tables are compared only where the source's view holds them.
    """
    if not source_history:
        return ()
    source = source_history[-1]
    peer = source.peer(peer_id)
    if peer is None:
        return ()
    tries = retries(source_history, peer_id) if peer.enabled else ()
    certain = [
        *_unreachable(peer_id, source_history, target, tries),
        *_not_ready(source, target),
        *startup.causes(peer, source_history, not_started),
        *_schema(peer, source, target, tries),
        *_bulk_load(peer, source, tries),
    ]
    found = [
        *certain,
        *connection.shared(peer, source),
        *(connection.leaked(peer, source_history, failed) if tries else ()),
        *_unexplained(peer, tries, certain, source_history, target),
        *_not_seen(peer_id, source_history, target, tries),
        *_standstill(peer, source_history),
        *limited(peer, source_history),
        *(_slow(peer, source_history) if not tries else ()),
        *_incompatible(peer, source, tries),
        *divergence.causes(peer_id, source_history, target),
    ]
    return tuple(dict.fromkeys(found))


def _failed(target: ClusterView) -> Observed[Any] | None:
    """The part of the target that did not answer hbase-ferry at the newest look."""
    return next((part for part in (target.identity, target.tables) if part.error), None)


def _unreachable(
    peer_id: str, history: Sequence[ClusterView], target: ClusterView, tries: Sequence[Retry]
) -> Iterator[Cause]:
    part = _failed(target)
    if part is not None and not _reaches(peer_id, history, part.at, tries):
        either = " either" if tries else ""
        yield Cause(
            "target unreachable",
            f"{target.name} does not answer hbase-ferry{either}: {part.error}",
            "look at the instance's clusters and at the way there; the library goes on by itself once they answer",
        )


def _not_seen(
    peer_id: str, history: Sequence[ClusterView], target: ClusterView, tries: Sequence[Retry]
) -> Iterator[Cause]:
    """hbase-ferry's own trouble: its account, its way there. It stops no peer."""
    part = _failed(target)
    reaches = _reaches(peer_id, history, part.at, tries) if part is not None else ""
    if part is not None and reaches:
        yield Cause(
            "target not seen",
            f"hbase-ferry cannot see {target.name}: {part.error}; {reaches}",
            "look at hbase-ferry's own account and its way to the instance: the peer does not depend on them, but no "
            "step goes on before",
        )


def _reaches(peer_id: str, history: Sequence[ClusterView], seen_at: float | None, tries: Sequence[Retry]) -> str:
    """What shows that the library reaches the target; empty: nothing does. `seen_at`: when hbase-ferry last saw it.

    Counters go on showing for the cache's time what was shipped before it went away; where that moment is not known,
    any lag speaks against it.
    """
    if any(one.spinning for one in tries):
        return "the library is answered, and refused: it tries again without a pause"
    lag = max((queue.lag_ms for queue in history[-1].queues(peer_id)), default=0)
    if tries or lag >= (KEEPING_UP_MS if seen_at is not None else 1):
        return ""
    since = 0.0 if seen_at is None else seen_at + library.CACHE_SECONDS
    later = [view for view in history if (view.servers.at or 0.0) > since]
    return f"peer {peer_id} ships" if any(one.shipped for one in rates(later, peer_id)) else ""


def _not_ready(source: ClusterView, target: ClusterView) -> Iterator[Cause]:
    settings = target.identity.current.settings if target.identity.current and not _failed(target) else {}
    keys = ["instance.state", *(f"cluster.{name}.state" for name in _routed(source, settings))]
    for key in keys:
        if settings.get(key, "READY") not in SERVING:
            yield Cause(
                "target not ready",
                f"{key.removesuffix('.state').replace('.', ' ')} of {target.name} is {settings[key]}",
                "wait for it, or let the app profile route to a cluster that is ready",
            )


def _routed(source: ClusterView, settings: Mapping[str, str]) -> tuple[str, ...]:
    """The clusters that the servers' app profiles send to; all of them where the routing is not single or not known."""
    profiles = {value(page, library.APP_PROFILE) or "default" for page in read(source.servers.current or ())}
    routes = {settings.get(f"profile.{profile}.routing", "") for profile in profiles}
    if routes and all(route.startswith("single:") for route in routes):
        return tuple(sorted(route.removeprefix("single:") for route in routes))
    names = (key.split(".", 1)[1] for key in settings if key.startswith("cluster.") and key.endswith(".state"))
    return tuple(sorted(name.removesuffix(".state") for name in names))


def _tried(tries: Sequence[Retry]) -> str:
    """What the counters add to a cause; empty: no retry was seen."""
    if not tries:
        return ""
    worst = tries[0]
    text = f"; {worst.server} hands over {rate(worst.per_second, 'entries')} again and again and ships nothing"
    if worst.spinning:
        text += f", which costs up to {spin_cost(min(worst.per_second, SPIN_PER_SECOND))}"
    return text


def _schema(peer: Peer, source: ClusterView, target: ClusterView, tries: Sequence[Retry]) -> Iterator[Cause]:
    for name in sorted(peer.table_cfs):
        fault = table_fault(name)
        if fault is not None:
            kind = "namespaced table" if ":" in name else "illegal name"
            yield Cause(kind, fault + _tried(tries), f"take {name} out of the peer's table CFs")
    if target.tables.current is None or not peer.enabled:
        return
    for table, families in covered_tables(peer, source):
        there = target.table(table.name)
        if not families or table_fault(table.name):
            continue
        if there is None:
            yield Cause(
                "table missing",
                f"{target.name} has no table {table.name}; its edits block every table in the same WALs{_tried(tries)}",
                f"create {table.name} with its families there, by its own step where this migration moves it: a new "
                "table is empty and wants its history again; the peer goes on within a second",
            )
            continue
        missing = [name for name in families if there.family(name) is None]
        if missing:
            faults = [fault for name in missing if (fault := family_fault(name))]
            which = f"{'family' if len(missing) == 1 else 'families'} {', '.join(missing)}"
            yield Cause(
                "family missing",
                f"{table.name} on {target.name} lacks {which}{_tried(tries)}",
                "; ".join(faults) or f"add {which} to {table.name} there: the peer goes on within a second",
            )


def _bulk_load(peer: Peer, source: ClusterView, tries: Sequence[Retry]) -> Iterator[Cause]:
    waiting = of_peer(counters(source.servers.current or ()), peer.id, library.HFILE_REFS)
    if waiting:
        yield Cause(
            "bulk load marker",
            f"{plural(waiting, 'bulk loaded file')} in the queue of peer {peer.id}: the library sends the marker as a "
            f"write to family METAFAMILY, which no Bigtable table has{_tried(tries)}",
            f"it never heals: set {library.BULK_LOADS} false, restart the region servers, remove the peer, and copy "
            "the history again (a family METAFAMILY would let it pass, with a junk row and without the loaded rows)",
        )


def _unexplained(
    peer: Peer,
    tries: Sequence[Retry],
    certain: Sequence[Cause],
    history: Sequence[ClusterView],
    target: ClusterView,
) -> Iterator[Cause]:
    fast = [one for one in tries if one.spinning]
    unclear = [one.server for one in tries if one.pace == "unclear"]
    stood = [server for server in unclear if _stood(peer.id, server, history)]
    slow = [one for one in tries if one.pace == "slow" or one.server in stood]
    if fast and not certain:
        seen = target.tables.current is not None
        schema = "tables and families are there" if seen else "whether its tables and families are there is not seen"
        yield Cause(
            "permanent error",
            f"{plural(len(fast), 'region server')} in a loop without a pause, and {schema}{_tried(fast)}",
            f"{'' if seen else 'look whether they are there; '}"
            f"if something was created there within {duration(library.CACHE_SECONDS)}, look again; else see "
            "'Encountered error while replicating wal entry' in its log: no right to write (roles/bigtable.user), "
            f"an app profile that is not there, a cell too large, or a row above {count(ROW_MUTATIONS)} cells in one "
            "batch (lower replication.source.nb.capacity)",
        )
    if slow:
        timeout = _timeout(read(history[-1].servers.current or ()))
        yield Cause(
            "target hung",
            f"{plural(len(slow), 'region server')} tries the same entries once a client timeout "
            f"({duration(timeout)}){_tried(slow)}",
            "the target does not answer the library: look at the instance's cluster and the network from the region "
            "servers; it goes on by itself",
        )


def _timeout(pages: Sequence[ServerFacts]) -> float:
    """The longest time one attempt takes on any server, in seconds."""
    default = library.MUTATE_TIMEOUT_MILLIS
    found = [number(p, library.MUTATE_TIMEOUT, number(p, library.LONG_TIMEOUT, default)) for p in pages]
    return max(found, default=default) / 1000


def _waiting(peer_id: str, history: Sequence[ClusterView]) -> list[ReplicationQueue]:
    """Queues with a batch in flight of which nothing is handed over and nothing shipped, without those that may only
    pause under a bandwidth limit."""
    stuck = set(standing(history, peer_id))
    late = [q for q in history[-1].queues(peer_id) if q.server in stuck and q.running and q.lag_ms >= KEEPING_UP_MS]
    pausing = held_back(peer_id, history) if late else {}
    return [queue for queue in late if (queue.server, queue.queue_id) not in pausing]


def _stood(peer_id: str, server: str, history: Sequence[ClusterView]) -> bool:
    """Whether the server's entries waited for an answer before they were tried again: no loop does that."""
    newest = history[-1].load.at or 0.0
    for end in range(len(history) - 1, 0, -1):
        if newest - (history[end - 1].load.at or 0.0) > WINDOW_SECONDS:
            return False
        if server in (queue.server for queue in _waiting(peer_id, history[:end])):
            return True
    return False


def _standstill(peer: Peer, history: Sequence[ClusterView]) -> Iterator[Cause]:
    """A call that hangs within its own retries."""
    view = history[-1]
    late = _waiting(peer.id, history) if peer.enabled else []
    if late:
        queue = max(late, key=lambda q: q.lag_ms)
        timeout = duration(_timeout(read(view.servers.current or ())))
        yield Cause(
            "target hung",
            f"{queue.server} waits for an answer: lag {millis(queue.lag_ms)}, nothing handed over or shipped since; "
            f"one attempt may last {timeout}",
            "look at the instance's cluster and the network from the region servers; it goes on by itself",
        )


def _slow(peer: Peer, history: Sequence[ClusterView]) -> Iterator[Cause]:
    """A peer that a bandwidth limit holds back would fall behind any target."""
    shipping = [one for one in rates(history, peer.id) if one.shipped]
    lags = outrun(history, peer.id) if not lowest_limit(history, peer.id) else []
    if shipping and lags and lags[-1] - lags[0] >= KEEPING_UP_MS:
        total = sum(one.shipped or 0 for one in shipping)
        yield Cause(
            "slow target",
            f"the peer ships {rate(total, 'ops')} and still falls behind: lag {millis(lags[0])}, then "
            f"{millis(lags[-1])}",
            "look at the CPU of the instance's cluster (70 % at most on average): add nodes or turn autoscaling on",
        )


def _incompatible(peer: Peer, source: ClusterView, tries: Sequence[Retry]) -> Iterator[Cause]:
    met = of_peer(counters(source.servers.current or ()), peer.id, library.INCOMPATIBLE)
    if tries and met:
        yield Cause(
            "incompatible mutations",
            f"{plural(met, 'incompatible mutation')} counted (attempts count again); the library converts or drops "
            "each, and reads no adapter of your own, so they do not stall it by themselves",
            "look at the causes above first; the loss ledger says what was dropped",
        )
