"""The loss ledger: what does not arrive in Bigtable as it was in HBase, each entry with its number and a remedy.

Invariant: an entry's gate carries the number, so accepting 3 losses does not accept 5; counters that cannot be read are
an entry of their own, never no loss. The library counts every attempt, so retries and replays (each disable and enable)
inflate the counters: never fewer losses than happened while every server was read, and the text says when more, or
that the number bounds nothing because a batch was retried and a server not read.
Called by the cutover's gate, by `TargetKind.remember` (totals outlive servers and this process) and the front ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import REGION_SERVER, Counters, counters, of_peer, repeats, unread
from hbase_ferry.insight.bigtable.memory import remembered, totals, unseen
from hbase_ferry.insight.bigtable.pages import read, switch, unread_reason
from hbase_ferry.insight.checks.base import TableWish
from hbase_ferry.insight.format import count, plural, size
from hbase_ferry.model.bigtable.names import CELL_BYTES, QUALIFIER_BYTES, ROW_KEY_BYTES, family_fault, table_fault
from hbase_ferry.model.cluster import ServerFacts, Table
from hbase_ferry.model.view import View

__all__ = ["Kind", "Loss", "Sampled", "ledger", "remembered", "totals", "unseen"]

Kind: TypeAlias = Literal[
    "dropped",
    "timestamp-overflow",
    "illegal-name",
    "too-large",
    "bulk-load",
    "bulk-load-on",
    "gone",
    "skip-wal",
    "reverse-timestamps",
    "backfill-dropped",
    "backfill-unread",
    "unread",
    "converted",
    "future-puts",
]
INFORMATION: frozenset[Kind] = frozenset({"converted", "future-puts"})
"""Kinds that lose nothing: they never close a gate."""


@dataclass(frozen=True)
class Loss:
    """One entry."""

    kind: Kind
    count: int
    at_least: bool
    "more may be lost than counted, and not fewer: a server could not be read, or ended before its last value was seen"
    text: str
    remedy: str
    at_most: bool = False
    "fewer may be lost than counted, and not more: attempts were counted"
    of: tuple[str, ...] = ()
    "the servers or tables it speaks of, where the number alone would be true of others too"

    @property
    def closes(self) -> bool:
        """Whether it closes the cutover gate until somebody accepts it with a reason."""
        return self.kind not in INFORMATION

    @property
    def severity(self) -> Literal["block", "info"]:
        return "block" if self.closes else "info"

    @property
    def gate(self) -> str:
        """The gate's name, the number in it."""
        which = f".{hashlib.sha256(' '.join(self.of).encode()).hexdigest()[:6]}" if self.of else ""
        return f"loss.{self.kind}.{self.count}{which}"


@dataclass(frozen=True)
class Sampled:
    """What reading rows found, by table, and what the copy of the history left out."""

    skipped_rows: Mapping[str, int] = field(default_factory=dict)
    "rows above `names.ROW_BYTES`, or too large for one answer of the scan"
    large_cells: Mapping[str, int] = field(default_factory=dict)
    "cells above `names.CELL_BYTES`, or with a qualifier above `names.QUALIFIER_BYTES`"
    long_keys: Mapping[str, int] = field(default_factory=dict)
    "row keys above `names.ROW_KEY_BYTES`"
    reverse_timestamps: Mapping[str, int] = field(default_factory=dict)
    "sampled cells with a time from `names.MAX_TIME_MILLIS` on"
    backfill_dropped: Mapping[str, int] = field(default_factory=dict)
    "rows, cells and row keys the import dropped (its counters droppedRows, droppedCells, droppedRowKeys)"
    backfill_uncounted: Mapping[str, str] = field(default_factory=dict)
    "the options by which the import left out what it did not count, where it had such and printed no counter"


def ledger(
    view: View,
    peer_id: str,
    recorded: Mapping[str, int],
    *,
    tables: Sequence[TableWish] = (),
    sampled: Sampled = Sampled(),
    gone: Sequence[str] = (),
) -> tuple[Loss, ...]:
    """Every loss known, those that close the gate first.

    `recorded` as `totals` gives it from this view's servers and what the journal remembers; `tables`: those to move
    (none: the peer's table CFs); `gone`: as `unseen` gives it.
    """
    servers = view.source.servers.current or ()
    wishes = tuple(tables) or _of_peer(view, peer_id)
    found = (
        *_counted(view, peer_id, recorded, gone),
        *_named(view, wishes),
        *_read(sampled),
        *_bulk(servers, peer_id),
        *_skipping(view, wishes),
    )
    return tuple(sorted(found, key=lambda loss: not loss.closes))


def _of_peer(view: View, peer_id: str) -> tuple[TableWish, ...]:
    peer = view.source.peer(peer_id)
    return tuple(TableWish(name, families) for name, families in peer.table_cfs.items()) if peer else ()


def _counted(view: View, peer_id: str, recorded: Mapping[str, int], gone: Sequence[str]) -> Iterator[Loss]:
    servers = view.source.servers.current or ()
    shown = _showing(view, peer_id)
    blind = sorted(_asked(view, peer_id) - shown)
    if blind or not shown:
        failed = next((unread_reason(facts) for facts in servers if facts.error), "not shown yet")
        why = view.source.servers.error or failed
        yield Loss(
            "unread",
            max(1, len(blind)),
            True,
            f"the library's counters of {plural(max(1, len(blind)), 'region server')} could not be read ({why})",
            "open the way to every region server's web port, or read its /jmx by hand",
            of=tuple(blind),
        )
    if gone:
        yield Loss(
            "gone",
            len(gone),
            True,
            f"{plural(len(gone), 'region server')} ended since; what the library dropped there between its last look "
            f"and its end is not known: {', '.join(gone[:3])}",
            f"look for 'Dropping incompatible mutation' in the log of that server; its pages are up to "
            f"{library.CACHE_SECONDS:g} s old",
            of=tuple(gone),
        )
    more = bool(blind or gone or not shown)
    retried = attempted(counters(servers), peer_id)
    dropped = recorded.get(library.DROPPED, 0)
    yield from _counter("dropped", dropped, more, retried)
    yield from _counter("timestamp-overflow", recorded.get(library.OVERFLOW, 0), more, retried)
    deletes = recorded.get(library.INCOMPATIBLE_DELETES, 0)
    yield from _counter("converted", max(0, deletes - dropped), more, retried)
    yield from _counter("future-puts", recorded.get(library.FUTURE_PUTS, 0), more, retried)


def _asked(view: View, peer_id: str) -> set[str]:
    """Region servers whose counters have to be seen: those that live, or where that is not seen those that hold a
    queue, and each whose page was asked for and failed."""
    identity = view.source.identity.current
    failed = {facts.server for facts in unread(view.source.servers.current or ())}
    held = (queue.server for queue in view.source.queues(peer_id))
    return failed.union(identity.servers if identity is not None else held)


def _showing(view: View, peer_id: str) -> set[str]:
    """Region servers whose pages were read, without those that show the peer's queue and no counters of the library
    (below HBase 1.4 it counts nothing there, JBH#3596; an endpoint that has not started has none), and without those
    whose bean shows nothing at all while the load knows a queue there. A bean without the peer's queue is one of before
    the peer: HBase keeps it for `library.CACHE_SECONDS`."""
    pages = [facts for facts in read(view.source.servers.current or ()) if facts.role == REGION_SERVER]
    found = counters(pages)
    counting = {key.server for key in found if key.name == library.DROPPED}
    queued = {key.server for key in found if key.peer == peer_id and key.name == library.LOG_QUEUE}
    empty = {facts.server for facts in pages if not facts.metrics}
    queued |= empty & {queue.server for queue in view.source.queues(peer_id)}
    return {facts.server for facts in pages} - (queued - counting)


def attempted(found: Counters, peer_id: str) -> bool:
    """Whether entries were handed over more often than they were read: a batch was tried again."""
    return any(repeats(found, key) for key in found if key.peer == peer_id and key.name == library.READ)


_SAY: Mapping[Kind, tuple[str, str]] = {
    "dropped": (
        "{n} that Bigtable cannot do were dropped: the two sides differ there",
        "stop these deletes in the application (family versions, family deletes with a time of their own), or raise "
        f"{library.DELETE_THRESHOLD}; then copy the rows again. The region servers' logs name them: "
        "'Dropping incompatible mutation'",
    ),
    "timestamp-overflow": (
        "{n} carry a time that does not fit Bigtable: all such versions of a column collapse into one",
        "use the row key instead of Long.MAX_VALUE - now as the time, or accept that one version of each column stays",
    ),
    "converted": (
        "{n} were turned into deletes of a whole family, as every deleteRow is",
        "nothing to do; a put of the same row with an older time that arrives later is not masked",
    ),
    "future-puts": (
        "{n} carry a time after their write: a delete in Bigtable may not reach them in the same order",
        "look at the applications' clocks and at times they set themselves",
    ),
}


def _counter(kind: Kind, number: int, more: bool, retried: bool) -> Iterator[Loss]:
    if number <= 0:
        return
    text, remedy = _SAY[kind]
    noun = "put" if kind in ("timestamp-overflow", "future-puts") else "mutation"
    bound = {
        (False, False): plural(number, noun),
        (True, False): f"at least {plural(number, noun)}",
        (False, True): f"at most {plural(number, noun)}",
        (True, True): f"about {plural(number, f'counted {noun}')}",
    }[more, retried]
    hint = " (attempts count again while a batch is retried)" if retried else ""
    at_least, at_most = more and not retried, retried and not more
    yield Loss(kind, number, at_least, text.format(n=bound) + hint, remedy, at_most)


def _named(view: View, wishes: Sequence[TableWish]) -> Iterator[Loss]:
    faults = [fault for wish in wishes if (fault := table_fault(wish.name))]
    for wish, table in _there(view, wishes):
        families = wish.families or tuple(family.name for family in table.families)
        faults += [f"{wish.name}: {fault}" for name in families if (fault := family_fault(name))]
    if faults:
        text = f"{plural(len(faults), 'name')} cannot exist in Bigtable: {'; '.join(faults[:3])}"
        remedy = "move these tables under another name: snapshot, clone_snapshot to a legal name, and write there"
        yield Loss("illegal-name", len(faults), False, text, remedy)


def _there(view: View, wishes: Sequence[TableWish]) -> Iterator[tuple[TableWish, Table]]:
    for wish in wishes:
        table = view.source.table(wish.name)
        if table is not None:
            yield wish, table


def _read(sampled: Sampled) -> Iterator[Loss]:
    large = (
        ("row", "too large", sampled.skipped_rows),
        ("cell", f"above {size(CELL_BYTES)} (qualifier: {size(QUALIFIER_BYTES)})", sampled.large_cells),
        ("row key", f"above {size(ROW_KEY_BYTES)}", sampled.long_keys),
    )
    sums = [(sum(by.values()), noun, limit, _tables(by)) for noun, limit, by in large]
    parts = [f"{plural(number, noun)} {limit} in {where}" for number, noun, limit, where in sums if number]
    if parts:
        number = sum(one[0] for one in sums)
        remedy = (
            "what is above Bigtable's limits stalls the library: shorten or split it in HBase before the copy; "
            "rows that are only too large for a look have to be looked at by other means"
        )
        yield Loss("too-large", number, True, f"too large: {'; '.join(parts)}", remedy)
    left = sum(sampled.backfill_dropped.values())
    if left:
        where = _tables(sampled.backfill_dropped)
        text = f"the copy of the history left out {count(left)} rows, cells or keys of {where}"
        remedy = "read the import's counters and log; copy what is left out by hand, or accept it"
        yield Loss("backfill-dropped", left, False, text, remedy)
    if unread := sampled.backfill_uncounted:
        named = "; ".join(f"{table} ({options})" for table, options in sorted(unread.items()))
        text = (
            f"what the import left out of {plural(len(unread), 'table')} is not known: it was told to leave out rows, "
            f"cells or keys, and printed no counter of them: {named}"
        )
        remedy = (
            "read droppedRows, droppedCells and droppedRowKeys of the Dataflow job, and look for 'Dropping' in its "
            "workers' log; copy by hand what was left out, or accept it"
        )
        yield Loss("backfill-unread", len(unread), True, text, remedy, of=tuple(sorted(unread)))
    reverse = sum(sampled.reverse_timestamps.values())
    if reverse:
        text = (
            f"{plural(reverse, 'sampled cell')} of {_tables(sampled.reverse_timestamps)} "
            f"{'has a time' if reverse == 1 else 'have times'} above what Bigtable can hold (Long.MAX_VALUE - now): "
            "versions of a column collapse into one"
        )
        yield Loss("reverse-timestamps", reverse, True, text, _SAY["timestamp-overflow"][1])


def _tables(by: Mapping[str, int]) -> str:
    names = sorted(name for name, number in by.items() if number)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _bulk(servers: Sequence[ServerFacts], peer_id: str) -> Iterator[Loss]:
    on = [facts.server for facts in read(servers) if switch(facts, library.BULK_LOADS, False)]
    waiting = of_peer(counters(servers), peer_id, library.HFILE_REFS) or 0
    if waiting:
        text = f"{plural(waiting, 'bulk loaded file')} in the peer's queue: Bigtable never gets what is in there"
        remedy = f"set {library.BULK_LOADS} false, restart the region servers, remove the peer, copy the history again"
        yield Loss("bulk-load", waiting, True, text, remedy)
    elif on:
        where = plural(len(on), "server")
        text = f"{library.BULK_LOADS} is true on {where}: the first bulk load stalls the peer for good"
        remedy = f"set {library.BULK_LOADS} false on every server and restart it"
        yield Loss("bulk-load-on", len(on), False, text, remedy, of=tuple(on))


def _skipping(view: View, wishes: Sequence[TableWish]) -> Iterator[Loss]:
    names = [wish.name for wish, table in _there(view, wishes) if table.durability.upper() == "SKIP_WAL"]
    if names:
        which = ", ".join(names[:3])
        text = f"{plural(len(names), 'table')} without a WAL, so nothing written after the copy arrives: {which}"
        remedy = "alter DURABILITY => 'USE_DEFAULT' before the snapshot; writes that skip the WAL themselves never show"
        yield Loss("skip-wal", len(names), False, text, remedy)
