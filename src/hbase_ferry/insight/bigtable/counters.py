"""The library's counters per server, queue and name, out of the servers' pages; what they gained between two looks.

The bean names a queue `source.<peer>.<name>`, a recovered one `source.<peer>-<dead server>.<name>`; what all queues
share has no queue id (`source.<name>`, in 1.x `<name>`). Invariant: a counter that fell, or that belongs to a new start
code, counts from 0; a server whose page could not be read contributes nothing and is named by `unread`. Values may be
`library.CACHE_SECONDS` older than their page. Called by the ledger, the stall causes and their tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from hbase_ferry.insight.bigtable import library
from hbase_ferry.model.cluster import ServerFacts

REGION_SERVER = "region server"
"""`ServerFacts.role` of the servers that replicate. A master in the same process shows the same bean."""


class Key(NamedTuple):
    """One counter of one queue in one life of a server."""

    server: str
    "host,port,startcode"
    queue: str
    "queue id; empty: of all queues together"
    name: str

    @property
    def peer(self) -> str:
        """The queue's peer: an id holds no '-' (HBASE-11394)."""
        return self.queue.partition("-")[0]

    @property
    def recovered(self) -> bool:
        return "-" in self.queue


Counters: TypeAlias = Mapping[Key, int]


def parse_name(full: str) -> tuple[str, str] | None:
    """(queue id, name) of a full name in the bean; ("", name) of all queues together; None: another thing's."""
    head, _, name = full.rpartition(".")
    if head in ("", "source"):
        return "", name
    return (head.removeprefix("source."), name) if head.startswith("source.") else None


def counters(servers: Iterable[ServerFacts]) -> dict[Key, int]:
    """Every counter the pages of the region servers show."""
    found: dict[Key, int] = {}
    for facts in servers:
        if facts.role != REGION_SERVER or facts.error:
            continue
        for full, value in facts.metrics.items():
            parsed = parse_name(full)
            if parsed is not None:
                found[Key(facts.server, *parsed)] = value
    return found


def unread(servers: Iterable[ServerFacts]) -> tuple[ServerFacts, ...]:
    """The region servers whose pages could not be read."""
    return tuple(facts for facts in servers if facts.role == REGION_SERVER and facts.error)


def deltas(baseline: Counters, latest: Counters) -> dict[Key, int]:
    """What each counter of the latest look gained since the baseline, never below 0.

    A key the baseline lacks (a new start code, a new queue) counts from 0, and so does one that fell.
    """
    found = {}
    for key, value in latest.items():
        before = baseline.get(key, 0)
        found[key] = value - before if value >= before else value
    return found


def of_peer(found: Counters, peer_id: str, *names: str) -> int | None:
    """The sum of these names over all servers and queues of the peer; None: no server shows any of them."""
    values = [value for key, value in found.items() if key.peer == peer_id and key.name in names]
    return sum(values) if values else None


def by_server(found: Counters) -> dict[str, dict[Key, int]]:
    """The same, a server at a time."""
    split: dict[str, dict[Key, int]] = {}
    for key, value in found.items():
        split.setdefault(key.server, {})[key] = value
    return split


def left_behind(found: Counters, peer_id: str) -> bool:
    """Whether one server's counters of this id belong to a peer removed from it: HBase clears its own values with the
    peer (MetricsSource.clear), the library's stay until the server restarts."""
    names = {key.name for key in found if key.peer == peer_id}
    return bool(names) and not names.intersection(library.OWN_METRICS)


def repeats(found: Counters, read_key: Key) -> int:
    """How many entries of a queue were handed over again; `read_key`: its `library.READ`.

    HBase counts an entry once when it is read, the library at every attempt: without a retry the eligible and the
    filtered entries are exactly those that were read and passed HBase's own filters (seen in every lab transcript).
    """

    def number(name: str) -> int:
        return found.get(read_key._replace(name=name), 0)

    tried = sum(number(name) for name in (*library.ELIGIBLE_ENTRIES, *library.FILTERED_ENTRIES))
    return max(0, tried - number(library.READ) + number(library.FILTERED))
