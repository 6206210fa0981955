"""The endpoint that never started: why, and how long until region servers abort themselves over it.

add_peer answers ok and the peer shows ENABLED; only isRunning false with lag 0, and isInitializing other than 0, tell
(it falls below 0 with every failure where abort is off). From 2.4 on HBase tries again after 1, 2, … times
sleepforretries, and when maxretriesmultiplier is reached the region server aborts (ReplicationSource.initialize;
HBASE-24877), all servers about the same time. A class that is not there is tried for ever, and 1.x does not try again.
Invariant: the countdown never promises more time than is left. Called by the stall causes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import counters
from hbase_ferry.insight.bigtable.pages import library_jars, missing_keys, number, read, switch, value
from hbase_ferry.insight.format import duration, plural
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.insight.versions import parse_version
from hbase_ferry.model.cluster import ClusterView, Peer, ServerFacts

STARTING_SECONDS = 10.0
"""A healthy endpoint shows the same for 1 to 5 s after add_peer or a restart (lab)."""


def not_started(view: ClusterView, peer_id: str) -> tuple[str, ...]:
    """Servers on which the peer's endpoint has not started, as of this view."""
    found = [queue.server for queue in view.queues(peer_id) if queue.running is False]
    values = counters(view.servers.current or ())
    for key, initializing in values.items():
        if key.peer == peer_id and key.name == library.INITIALIZING and initializing:
            found.append(key.server)
    return tuple(sorted(dict.fromkeys(found)))


def seen_for(history: Sequence[ClusterView], peer_id: str, server: str) -> float:
    """Seconds through which every look that speaks of it showed the endpoint not started there."""
    end = start = None
    for view in reversed(history):
        at = view.load.at or view.servers.at
        if at is None or (view.load.current is None and view.servers.current is None):
            continue
        if server not in not_started(view, peer_id):
            break
        end, start = (at if end is None else end), at
    return 0.0 if end is None or start is None else max(0.0, end - start)


def ladder_seconds(facts: ServerFacts | None) -> float:
    """How long a region server tries to start an endpoint before it aborts: 45 150 s, 12.5 h, by default."""
    steps, sleep = 300, 1000
    if facts is not None:
        steps, sleep = number(facts, library.RETRIES, steps), number(facts, library.SLEEP, sleep)
    return sleep / 1000 * steps * (steps + 1) / 2


def causes(peer: Peer, history: Sequence[ClusterView]) -> Iterator[Cause]:
    """The endpoint that never started, and what would keep it from starting."""
    view = history[-1]
    servers = not_started(view, peer.id)
    if not servers:
        return
    pages = {facts.server: facts for facts in read(view.servers.current or ())}
    reasons = tuple(_reasons(peer, servers, pages))
    longest = max(seen_for(history, peer.id, server) for server in servers)
    young = longest < STARTING_SECONDS and all(cause.name == "key file" for cause in reasons)
    yield _headline(peer, history, servers, pages, longest, young)
    yield from () if young else reasons


def _headline(
    peer: Peer,
    history: Sequence[ClusterView],
    servers: Sequence[str],
    pages: Mapping[str, ServerFacts],
    longest: float,
    young: bool,
) -> Cause:
    times = [_countdown(history, peer.id, server, pages.get(server)) for server in servers]
    where = f"{plural(len(servers), 'region server')}: {', '.join(servers[:3])}"
    evidence = f"the endpoint has not started for {duration(longest)} or more on {where}; lag 0 means nothing there"
    evidence += "; it may be about to: one that can start does so within seconds" if young else ""
    if any(not switch(pages[s], library.ABORT, True) for s in servers if s in pages):
        end = (
            f"{library.ABORT} is false there: it is tried for ever, and removing the peer makes it spin until the "
            "server is out of memory; set it true and restart before the peer is removed"
        )
    else:
        left = min((time for time in times if time is not None), default=None)
        end = _words(left, history[-1])
    return Cause("endpoint not started", evidence, end)


def _countdown(history: Sequence[ClusterView], peer_id: str, server: str, facts: ServerFacts | None) -> float | None:
    """Seconds until the server aborts, at most; None: it does not."""
    identity = history[-1].identity.value
    version = parse_version(identity.hbase_version) if identity else None
    if (version is not None and version < (2, 4)) or (facts is not None and not _has_jar(facts)):
        return None
    return max(0.0, ladder_seconds(facts) - seen_for(history, peer_id, server))


def _words(left: float | None, view: ClusterView) -> str:
    say = "see 'Error starting ReplicationEndpoint' in the region server's log"
    if left is None:
        old = view.identity.value.major == 1 if view.identity.value else False
        again = "1.x does not try again: restart the server, or remove and add the peer" if old else "it is tried again"
        return f"{say}; {again}"
    when = f"in {duration(left)} at the latest" if left else "at any moment"
    return f"{say}; unless it starts, or the peer is removed, these region servers abort {when} (all together)"


def _reasons(peer: Peer, servers: Sequence[str], pages: Mapping[str, ServerFacts]) -> Iterator[Cause]:
    known = [pages[server] for server in servers if server in pages]
    found = [*_lacking(known), *_config(peer, known)]
    yield from found
    secret = [f"{facts.server}: {value(facts, library.KEY_FILE)}" for facts in known if value(facts, library.KEY_FILE)]
    if secret and not found:
        yield Cause(
            "key file",
            f"jar and keys are there; whether HBase can read the key file is not shown: {'; '.join(secret[:3])}",
            "as the user HBase runs as, read the file on each of these servers",
        )


def _lacking(known: Sequence[ServerFacts]) -> Iterator[Cause]:
    without = [facts.server for facts in known if not _has_jar(facts)]
    if without:
        evidence = f"no jar of the library on the class path of {', '.join(without[:3])}"
        yield Cause("library missing", evidence, "copy the jar to its lib folder and restart that server")
    for facts in known:
        lacks = missing_keys(facts)
        if lacks:
            evidence = f"{facts.server} runs without {', '.join(lacks)}"
            yield Cause("site keys missing", evidence, "set them in its hbase-site.xml and restart it")


def _has_jar(facts: ServerFacts) -> bool:
    """The published library, or one under another name that says as much."""
    named = any("bigtable" in jar and "replication" in jar for jar in facts.jars)
    return named or bool(library_jars(facts, library.LIBRARY))


def _config(peer: Peer, known: Sequence[ServerFacts]) -> Iterator[Cause]:
    base = next((facts for facts in known if value(facts, library.BASE_CONFIG)), None)
    if not peer.config and base is None:
        return
    what = f"peer {peer.id} has a CONFIG ({', '.join(sorted(peer.config)[:3])})" if peer.config else ""
    added = f"{library.BASE_CONFIG} adds a CONFIG to every peer" if base else ""
    yield Cause(
        "per-peer CONFIG",
        f"{' and '.join(filter(None, (what, added)))}: then the library sees the connection keys only where "
        "core-site.xml holds them, and not in hbase-site.xml; /conf shows both alike, so it cannot be told from here",
        "put the connection keys into core-site.xml on every server, remove the peer and add it again: a region server "
        "reads that file when it takes up a peer, and needs no restart; or add the peer without CONFIG",
    )
