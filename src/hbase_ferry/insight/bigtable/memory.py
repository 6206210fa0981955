"""What the loss counters showed, kept so that totals survive a server's restart and this process's.

The memory is a flat map that the journal takes: `"<server>|<counter>" -> last value`, and
`"<server>|<counter>|before" -> what of it is not this peer's`: what a removed peer of the same id left behind, negative
after a counter fell within one start code. Invariant: a total never falls. Called through `ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import REGION_SERVER, by_server, counters, left_behind, of_peer
from hbase_ferry.model.cluster import ServerFacts

_BEFORE = "before"


def totals(servers: Sequence[ServerFacts], peer_id: str, baseline: Mapping[str, str]) -> dict[str, int]:
    """Losses so far by counter (`library.LOSS_COUNTERS`): of the servers as they are and of those remembered.

    `baseline` is what `remembered` last gave; empty: nothing yet. A counter nobody ever showed is absent.
    """
    memory = _merged(baseline, servers, peer_id)
    found: dict[str, int] = {}
    for key, last in memory.items():
        server, _, name = key.partition("|")
        if name in library.LOSS_COUNTERS:
            found[name] = found.get(name, 0) + _int(last) - _int(memory.get(f"{server}|{name}|{_BEFORE}", "0"))
    return found


def remembered(previous: Mapping[str, str], servers: Sequence[ServerFacts], peer_id: str) -> Mapping[str, str] | None:
    """What has to be on disk so that totals survive servers and this process; None: nothing of weight changed.

    Of weight are a server not seen before, and dropped and overflow counters; the others ride along.
    """
    merged = _merged(previous, servers, peer_id)
    weighty = {key: value for key, value in merged.items() if _weighs(key) or key not in previous}
    return None if all(previous.get(key) == value for key, value in weighty.items()) else merged


def unseen(servers: Sequence[ServerFacts], baseline: Mapping[str, str]) -> tuple[str, ...]:
    """Servers remembered that no page speaks of: what they counted after their last look is not known."""
    seen = {facts.server for facts in servers if facts.role == REGION_SERVER and not facts.error}
    return tuple(sorted({key.partition("|")[0] for key in baseline} - seen))


def _weighs(key: str) -> bool:
    return key.split("|")[1] in (library.DROPPED, library.OVERFLOW)


def _merged(previous: Mapping[str, str], servers: Sequence[ServerFacts], peer_id: str) -> dict[str, str]:
    merged = dict(previous)
    for server, found in by_server(counters(servers)).items():
        leftover = left_behind(found, peer_id)
        for name in library.LOSS_COUNTERS:
            value = of_peer(found, peer_id, name)
            if value is not None:
                _note(merged, f"{server}|{name}", value, leftover)
    return merged


def _note(merged: dict[str, str], key: str, value: int, leftover: bool) -> None:
    last = merged.get(key)
    before = _int(merged.get(f"{key}|{_BEFORE}", "0"))
    if last is None:
        before = value if leftover else 0
    elif value < _int(last):
        before -= _int(last)
    merged[key] = str(value)
    if before:
        merged[f"{key}|{_BEFORE}"] = str(before)


def _int(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0
