"""What the loss counters showed, kept so that totals survive a server's restart and this process's.

The memory is a flat map that the journal takes, by server: `"<server>|<counter>" -> last value`,
`"<server>|<counter>|before" -> what of it is not this peer's` (what a removed peer of the same id left behind; negative
after a counter fell within one start code), `"<server>|at" -> at_ms of the page they are of`, and `"<server>|unread"`
for one that held a queue of the peer and showed no counters of it yet. Invariant: a total never falls, and a page that
the memory is newer than changes nothing: two processes share one journal, and each has looks of its own age. Called
through `ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import REGION_SERVER, Counters, by_server, counters, left_behind, of_peer
from hbase_ferry.model.cluster import ClusterView

_BEFORE = "before"
_AT = "at"
_UNREAD = "unread"
CLOCK_BACK_MS = 600_000
"""A page that much older than the memory's is no look of another process, which is seconds old, but one after the
clock of the edge node (`ServerFacts.at_ms`) was set back: what rose there did happen."""


def totals(source: ClusterView, peer_id: str, baseline: Mapping[str, str]) -> dict[str, int]:
    """Losses so far by counter (`library.LOSS_COUNTERS`): of the servers as they are and of those remembered.

    `baseline` is what `remembered` last gave; empty: nothing yet. A counter nobody ever showed is absent.
    """
    memory = _merged(baseline, source, peer_id)
    found: dict[str, int] = {}
    for key, last in memory.items():
        server, _, name = key.partition("|")
        if name in library.LOSS_COUNTERS:
            found[name] = found.get(name, 0) + _int(last) - _int(memory.get(f"{server}|{name}|{_BEFORE}", "0"))
    return found


def remembered(previous: Mapping[str, str], source: ClusterView, peer_id: str) -> Mapping[str, str] | None:
    """What has to be on disk so that totals survive servers and this process; None: nothing of weight changed.

    Of weight are a server not seen before, and dropped and overflow counters; the others ride along.
    """
    merged = _merged(previous, source, peer_id)
    weighty = {key: value for key, value in merged.items() if _weighs(key) or key not in previous}
    return None if weighty == {key: value for key, value in previous.items() if _weighs(key)} else merged


def unseen(source: ClusterView, baseline: Mapping[str, str]) -> tuple[str, ...]:
    """Servers remembered that ended: what they counted after their last look is not known.

    A server that lives, or whose page was asked for and failed, has not ended, and nobody has as long as servers or
    their pages are not seen: that is the ledger's `unread`.
    """
    pages, identity = source.servers.current, source.identity.current
    if pages is None or identity is None:
        return ()
    there = {facts.server for facts in pages if facts.role == REGION_SERVER}.union(identity.servers)
    return tuple(sorted({key.partition("|")[0] for key in baseline} - there))


def _weighs(key: str) -> bool:
    return key.split("|")[1] in (library.DROPPED, library.OVERFLOW)


def _merged(previous: Mapping[str, str], source: ClusterView, peer_id: str) -> dict[str, str]:
    merged = dict(previous)
    pages = {facts.server: facts.at_ms for facts in source.servers.current or () if facts.role == REGION_SERVER}
    for server, found in by_server(counters(source.servers.current or ())).items():
        age = pages[server] - _int(previous.get(f"{server}|{_AT}", "0"))
        if age > 0 or age < -CLOCK_BACK_MS:
            _note_page(merged, server, found, peer_id, pages[server] if age > 0 else None)
    for server in {queue.server for queue in source.queues(peer_id)}:
        if f"{server}|{_AT}" not in merged and f"{server}|{library.DROPPED}" not in merged:
            merged[f"{server}|{_UNREAD}"] = "1"
    return merged


def _note_page(merged: dict[str, str], server: str, found: Counters, peer_id: str, at_ms: int | None) -> None:
    """Takes over one server's page; `at_ms` None: its time says nothing, so only what rose."""
    leftover, shown = left_behind(found, peer_id), False
    for name in library.LOSS_COUNTERS:
        value, key = of_peer(found, peer_id, name), f"{server}|{name}"
        if value is not None and (at_ms is not None or value > _int(merged.get(key, "0"))):
            _note(merged, key, value, leftover)
            shown = True
    if shown and at_ms is not None:
        merged[f"{server}|{_AT}"] = str(at_ms)
        merged.pop(f"{server}|{_UNREAD}", None)


def _note(merged: dict[str, str], key: str, value: int, leftover: bool) -> None:
    last = merged.get(key)
    before = _int(merged.pop(f"{key}|{_BEFORE}", "0"))
    if last is None:
        before = value if leftover else 0
    elif value < _int(last):
        before -= _int(last)
    merged[key] = str(value)
    if before:
        merged[f"{key}|{_BEFORE}"] = str(before)


def _int(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0
