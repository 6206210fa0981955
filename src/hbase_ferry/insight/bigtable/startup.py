"""The endpoint that never started: why, and how long until region servers abort themselves over it.

add_peer answers ok and the peer shows ENABLED; only isRunning false with lag 0, and isInitializing other than 0, tell
(it falls below 0 with every failure where abort is off). From 2.4 on HBase tries again after 1, 2, … times
sleepforretries, and when maxretriesmultiplier is reached the region server aborts (ReplicationSource.initialize;
HBASE-24877), all servers about the same time. A class that is not there is tried for ever, and 1.x does not try again.
Invariant: the countdown never promises more time than is left, and none is given where the settings were never read.
Called by the stall causes; `since` and `failed` by `TargetKind.remember`, for a history holds the looks of a few
minutes only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import counters
from hbase_ferry.insight.bigtable.pages import (
    credentials_elsewhere,
    library_jars,
    missing_keys,
    number,
    read,
    switch,
    value,
)
from hbase_ferry.insight.format import duration, plural
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.insight.versions import parse_version
from hbase_ferry.model.cluster import ClusterView, Peer, ServerFacts

STARTING_SECONDS = 10.0
"""A healthy endpoint shows the same for 1 to 5 s after add_peer or a restart (lab)."""

FAILED_SECONDS = 30.0
"""More than an endpoint takes to start, its first connection included (1 to 10 s in the lab)."""


def not_started(view: ClusterView, peer_id: str) -> tuple[str, ...]:
    """Servers on which the peer's endpoint has not started, as of this view."""
    found = [queue.server for queue in view.queues(peer_id) if queue.running is False]
    values = counters(view.servers.current or ())
    for key, initializing in values.items():
        if key.peer == peer_id and key.name == library.INITIALIZING and initializing:
            found.append(key.server)
    return tuple(sorted(dict.fromkeys(found)))


def since(previous: Mapping[str, str], view: ClusterView, peer_id: str) -> Mapping[str, str] | None:
    """Server -> epoch seconds of the look that first showed the endpoint not started there, to be put on record; None:
    the servers are those of `previous`, what was last given. One that a look does not speak of stays."""
    at = view.load.at or view.servers.at
    if at is None or (view.load.current is None and view.servers.current is None):
        return None
    now = not_started(view, peer_id)
    kept = {server: text for server, text in previous.items() if server in now or not _over(view, peer_id, server)}
    found = {server: str(int(at)) for server in now} | kept
    return None if found.keys() == previous.keys() else found


def failed(history: Sequence[ClusterView], peer_id: str) -> tuple[str, ...]:
    """Servers on which every look of FAILED_SECONDS, up to the newest, showed Google's endpoint not started."""
    peer = history[-1].peer(peer_id) if history else None
    if peer is None or not library.ships_to_bigtable(peer.endpoint):
        return ()
    late = not_started(history[-1], peer_id)
    return tuple(server for server in late if seen_for(history, peer_id, server) >= FAILED_SECONDS)


def _over(view: ClusterView, peer_id: str, server: str) -> bool:
    """Whether a look that does not show it not started shows why: peer or queue are gone, or the endpoint runs."""
    if view.peers.current is not None and view.peer(peer_id) is None:
        return True
    queues = [queue for queue in view.queues(peer_id) if queue.server == server]
    if view.load.current is not None and not queues:
        return True
    found = counters(view.servers.current or ())
    shown = any((k.server, k.peer, k.name) == (server, peer_id, library.INITIALIZING) for k in found)
    return shown or any(queue.running for queue in queues)


def seen_for(
    history: Sequence[ClusterView], peer_id: str, server: str, recorded: Mapping[str, str] | None = None
) -> float:
    """Seconds through which every look that speaks of it showed the endpoint not started there; `recorded` as `since`
    gave it: how long before this history that began."""
    end = start = running = None
    for view in reversed(history):
        at = view.load.at or view.servers.at
        if at is None or (view.load.current is None and view.servers.current is None):
            continue
        if server not in not_started(view, peer_id):
            running = at
            break
        end, start = (at if end is None else end), at
    if end is None or start is None:
        return 0.0
    text = (recorded or {}).get(server, "")
    if text.isdecimal() and (running is None or int(text) > running):
        start = min(start, float(text))
    return max(0.0, end - start)


def ladder_seconds(facts: ServerFacts) -> float:
    """How long a region server tries to start an endpoint before it aborts: 45 150 s, 12.5 h, by default."""
    steps, sleep = number(facts, library.RETRIES, 300), number(facts, library.SLEEP, 1000)
    return sleep / 1000 * steps * (steps + 1) / 2


def causes(peer: Peer, history: Sequence[ClusterView], recorded: Mapping[str, str] | None = None) -> Iterator[Cause]:
    """The endpoint that never started, and what would keep it from starting; `recorded` as `since` gave it."""
    view = history[-1]
    servers = not_started(view, peer.id)
    if not servers:
        return
    pages = {facts.server: facts for facts in read(view.servers.current or ())}
    reasons = tuple(_reasons(peer, servers, pages))
    seen = {server: seen_for(history, peer.id, server, recorded) for server in servers}
    longest = max(seen.values())
    young = longest < STARTING_SECONDS and all(cause.name == "key file" for cause in reasons)
    where = f"{plural(len(servers), 'region server')}: {', '.join(servers[:3])}"
    evidence = f"the endpoint has not started for {duration(longest)} or more on {where}; lag 0 means nothing there"
    evidence += "; it may be about to: one that can start does so within seconds" if young else ""
    yield Cause("endpoint not started", evidence, _ends(history, seen))
    yield from () if young else reasons


def _ends(history: Sequence[ClusterView], seen: Mapping[str, float]) -> str:
    """What becomes of it, a sentence for the servers that end alike. A server keeps its settings for its whole life,
    so an older page tells them too."""
    pages = {facts.server: facts for view in history for facts in read(view.servers.value or ())}
    endless = [s for s in seen if s in pages and not switch(pages[s], library.ABORT, True)]
    again = [s for s in seen if s not in endless and _tried_for_ever(history[-1], pages.get(s))]
    unknown = [s for s in seen if s not in (*endless, *again) and s not in pages]
    left = {s: max(0.0, ladder_seconds(pages[s]) - seen[s]) for s in seen if s not in (*endless, *again, *unknown)}
    found = [] if len(endless) == len(seen) else ["see 'Error starting ReplicationEndpoint' in the region server's log"]
    if left:
        when = f"in {duration(min(left.values()))} at the latest" if min(left.values()) else "at any moment"
        unless = "unless it starts" if endless or unknown else "unless it starts, or the peer is removed"
        abort = "aborts" if len(left) == 1 < len(seen) else "abort"
        found.append(f"{unless}, {_who(left, seen)} {abort} {when}{' (all together)' if len(left) > 1 else ''}")
    if unknown:
        who = _who(unknown, seen)
        found.append(f"the retry settings of {who} are not known: no page was read there, so the abort may be near")
    if again:
        old = history[-1].identity.value is not None and history[-1].identity.value.major == 1
        goes = "1.x does not try again: restart the server, or remove and add the peer" if old else "it is tried again"
        found.append(goes if len(again) == len(seen) else f"on {_who(again, seen)} {goes}")
    if endless:
        found.append(
            f"{library.ABORT} is false on {_who(endless, seen)}: it is tried for ever there, and removing the peer "
            "makes it spin until the server is out of memory; set it true and restart before the peer is removed"
        )
    return "; ".join(found)


def _who(servers: Collection[str], of: Collection[str]) -> str:
    """These servers in a sentence: by name where others end otherwise."""
    if len(servers) == len(of):
        return "these region servers"
    more = f" and {len(servers) - 3} more" if len(servers) > 3 else ""
    return ", ".join(list(servers)[:3]) + more


def _tried_for_ever(view: ClusterView, facts: ServerFacts | None) -> bool:
    """Whether no abort ends it: a line before 2.4, or a class that is not there."""
    identity = view.identity.value
    version = parse_version(identity.hbase_version) if identity else None
    return (version is not None and version < (2, 4)) or (facts is not None and not _has_jar(facts))


def _reasons(peer: Peer, servers: Sequence[str], pages: Mapping[str, ServerFacts]) -> Iterator[Cause]:
    known = [pages[server] for server in servers if server in pages]
    found = [*_lacking(known), *_config(peer, known)]
    yield from found
    keyless = [facts.server for facts in known if credentials_elsewhere(facts, pages.values())]
    secret = [f"{facts.server}: {value(facts, library.KEY_FILE)}" for facts in known if value(facts, library.KEY_FILE)]
    if keyless:
        yield Cause(
            "key file",
            f"no key file on {', '.join(keyless[:3])}; other region servers have one",
            f"set {library.KEY_FILE} there as on the others, and restart",
        )
    elif secret and not found:
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
