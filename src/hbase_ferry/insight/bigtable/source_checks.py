"""Checks of the source as such: its HBase line, the names of its tables, its other peers into Bigtable."""

from __future__ import annotations

from collections.abc import Iterator

from hbase_ferry.insight.bigtable import connection, library, startup
from hbase_ferry.insight.bigtable.pages import Question
from hbase_ferry.insight.checks.base import Finding, join, missing
from hbase_ferry.insight.format import count, plural, size
from hbase_ferry.insight.versions import parse_version
from hbase_ferry.model.bigtable.names import (
    CELL_BYTES,
    ROW_BYTES,
    ROW_KEY_BYTES,
    ROW_MUTATIONS,
    family_fault,
    table_fault,
)
from hbase_ferry.model.cluster import Peer, Side


def findings(question: Question) -> Iterator[Finding]:
    """Every check of this module."""
    yield _line(question)
    yield _namespaces(question)
    yield join("bt.names", _names(question), "every name is one Bigtable takes", Side.SOURCE)
    yield _other_peers(question)
    yield _dry_run(question)
    yield _limits(question)


def _line(question: Question) -> Finding:
    """2.4.0-2.4.8 take an endpoint for their own cluster's for a loop (HBASE-24743, mended by HBASE-26406 in 2.4.9)."""
    check, source = "bt.hbase-line", question.source
    identity = source.identity.current
    if identity is None:
        return missing(check, source, "version", source.identity)
    text, parsed = f"HBase {identity.hbase_version}", parse_version(identity.hbase_version)
    if parsed is None:
        return Finding(check, "unknown", f"{text} is not understood", source.side)
    padded = (*parsed, 0)[:3]
    if (2, 4, 0) <= padded <= (2, 4, 8):
        why = "refuses every peer with this endpoint as a loop (HBASE-26406): upgrade to 2.4.9 or later"
        return Finding(check, "block", f"{text} {why}", source.side)
    if padded < (1, 4, 0):
        why = "keeps no counters of the library (java-bigtable-hbase #3596): what is dropped would show in logs only"
        return Finding(check, "warn", f"{text} {why}", source.side)
    if padded >= (3, 0, 0):
        return Finding(check, "warn", f"{text}: the library was never seen to run on it", source.side)
    return Finding(check, "ok", f"{text} is a line the library runs on", source.side)


def _namespaces(question: Question) -> Finding:
    check = "bt.namespaces"
    spaced = [wish.name for wish in question.ask.tables if ":" in wish.name]
    if not spaced:
        return Finding(check, "ok", "no table lies in a namespace", Side.SOURCE)
    first = spaced[0]
    text = (
        f"{plural(len(spaced), 'table')} in a namespace, which Bigtable and the library do not have: "
        f"{', '.join(spaced[:3])}. The way out: have the clients write to a table without namespace (snapshot {first}, "
        f"clone_snapshot to {first.split(':', 1)[1]}), and move that one"
    )
    return Finding(check, "block", text, Side.SOURCE)


def _names(question: Question) -> Iterator[Finding]:
    for wish in question.ask.tables:
        fault = table_fault(wish.name)
        if fault and ":" not in wish.name:
            yield Finding("", "block", fault, Side.SOURCE)
        table = question.source.table(wish.name)
        if table is None and not wish.families:
            yield Finding("", "unknown", f"families of {wish.name} not known", Side.SOURCE)
        for name in wish.families or (tuple(family.name for family in table.families) if table else ()):
            wrong = family_fault(name)
            if wrong:
                yield Finding("", "block", f"{wish.name}: {wrong}", Side.SOURCE)


def _other_peers(question: Question) -> Finding:
    check, source, ask = "bt.other-peers", question.source, question.ask
    if source.peers.current is None:
        return missing(check, source, "peers", source.peers)
    ours = source.peer(ask.peer_id) or Peer(ask.peer_id, False, "", ask.endpoint, False)
    clash = [cause.evidence for cause in connection.shared(ours, source)]
    if clash:
        return Finding(check, "block", "; ".join(clash), source.side)
    others = [p.id for p in source.peers.current if p.id != ask.peer_id and library.ships_to_bigtable(p.endpoint)]
    if others:
        text = f"{', '.join(others[:3])} ship to Bigtable too: all share one connection and one thread pool a server"
        return Finding(check, "warn", text, source.side)
    return Finding(check, "ok", "no other peer ships to Bigtable", source.side)


def _dry_run(question: Question) -> Finding:
    """The switch of a dry run is a CONFIG, and with a CONFIG the connection keys count in core-site.xml only."""
    check, source = "bt.dry-run", question.source
    if not question.wish.dry_run:
        return Finding(check, "ok", "no dry run was asked for", source.side)
    if source.peers.current is None:
        return missing(check, source, "peers", source.peers)
    alike = [p for p in source.peers.current if p.config and library.ships_to_bigtable(p.endpoint)]
    failing = [peer.id for peer in alike if startup.not_started(source, peer.id)]
    if failing:
        text = (
            f"peer {failing[0]} has a CONFIG and its endpoint does not start: put the google.bigtable.* keys into "
            "core-site.xml on every server, remove that peer and add it again, or set dry_run: false"
        )
        return Finding(check, "block", text, source.side)
    text = (
        "a dry-run peer finds its connection keys in core-site.xml only, and /conf shows that and hbase-site.xml "
        f"alike: look on the region servers (grep {library.PROJECT} core-site.xml); if not there, it never starts"
    )
    return Finding(check, "warn", text, source.side)


def _limits(question: Question) -> Finding:
    text = (
        f"whether a cell is above {size(CELL_BYTES)}, a row above {size(ROW_BYTES)} or {count(ROW_MUTATIONS)} cells in "
        f"one batch, or a row key above {size(ROW_KEY_BYTES)} shows only when rows are read"
    )
    return Finding("bt.limits", "unknown", text, question.source.side)
