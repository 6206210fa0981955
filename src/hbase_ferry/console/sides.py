"""One cluster's pane: connection and age, peers, snapshots, tables. Pure: a reading in, lines out.

Invariant: what could not be observed is said and since when; an old value is grey and says how old it is.
Called by `app` for each side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hbase_ferry.console.ink import Cell, Line, Rows, Span, line, row, wrap
from hbase_ferry.console.reading import Reading
from hbase_ferry.console.words import SLOW_LIVE_SECONDS, age_words, freshness
from hbase_ferry.insight.format import count, moment, plural, size
from hbase_ferry.model.cluster import ClusterView, Observed, Side, Snapshot, Table


def connection(cluster: ClusterView, now: float) -> tuple[str, str]:
    """The side's connection in words, and its role: "live", or UNREACHABLE with the time it was last seen."""
    identity = cluster.identity
    if identity.error is not None:
        since = f"UNREACHABLE since {moment(identity.at)}" if identity.at else "UNREACHABLE, never seen"
        return since, "bad"
    return freshness(identity, now)


def side_head(reading: Reading, side: Side, number: int) -> Line:
    """"1 SOURCE prod-bj  HBase 2.4.17  3 servers  live"."""
    cluster = reading.view.side(side)
    words, role = connection(cluster, reading.now)
    cells: list[Cell] = [
        Span(f" {number} ", "head-dim"), Span(side.upper(), f"head-{side}"), Span(f" {cluster.name}  ", "head-strong"),
    ]  # fmt: skip
    identity = cluster.identity.value
    if identity is None:
        return line(*cells, Span(words, f"head-{role}"), fill="head")
    stale = "head-stale" if cluster.identity.error else "head"
    cells += [Span(words, f"head-{role}"), Span(f"  {identity.title}  ", stale)]
    if "load" in cluster.parts:
        cells.append(Span(plural(len(identity.servers), "server"), stale))
    if identity.dead_servers:
        cells.append(Span(f", {len(identity.dead_servers)} DEAD", "head-bad"))
    if identity.regions_in_transition:
        cells.append(Span(f"  {plural(identity.regions_in_transition, 'region')} in transition", "head-warn"))
    return line(*cells, fill="head")


def side_body(reading: Reading, side: Side, width: int, wanted: Callable[[str], bool]) -> Sequence[Line]:
    """What this kind of side has of service facts, peers, snapshots and tables, each with its age where it is not
    live, or why it is not known."""
    cluster = reading.view.side(side)
    now, old = reading.now, cluster.identity.error is not None
    lines: list[Line] = []
    if old:
        lines.append(line(Span(f" {cluster.identity.error}", "bad")))
    peers = list(_peers(reading, side, width, wanted))
    sections: dict[str, tuple[str, Observed[Any], list[Line]]] = {
        "peers": ("Peers", cluster.peers, peers),
        "snapshots": ("Snapshots", cluster.snapshots, list(_snapshots(cluster, now, width, wanted))),
    }
    if "peers" not in cluster.parts:
        said = _service(cluster, width)
        lines += [_greyed(each) for each in said] if old else said
    if side is Side.SOURCE:
        lines += _causes(reading, width)
    for name, part, rows in (sections[each] for each in sections if each in cluster.parts):
        lines.append(_section(name, part, old, len(rows), now))
        lines += [_greyed(each) for each in rows] if old or part.error is not None else rows
    tables = _tables(reading, side, wanted)
    lines.append(_section("Tables", cluster.tables, old, len(tables), now))
    make = _table_row(reading, side, tables, width)
    grey = old or cluster.tables.error is not None
    return Rows(lines, len(tables), (lambda n: _greyed(make(n))) if grey else make)


def _causes(reading: Reading, width: int) -> Iterable[Line]:
    """Why this migration's peer stalls: the likeliest cause with its evidence and what to do, the others by name."""
    if not reading.causes:
        return
    first, others = reading.causes[0], reading.causes[1:]
    head = (Span(f" {first.name.upper()} ", "bad"),)
    yield from wrap(f"{reading.peer_id}: {first.evidence}", width - 1, "  ", "text", head)
    yield from wrap(first.remedy, width - 1, "     ", "text", (Span("  do ", "accent"),))
    if others:
        names = "; ".join(cause.name for cause in others)
        yield from wrap(names, width - 1, "       ", "dim", (Span("  also ", "dim"),))


def _service(cluster: ClusterView, width: int) -> Iterable[Line]:
    """What a service says of itself, a line for each thing it speaks of, and what it would not say."""
    identity = cluster.identity.value
    if identity is None:
        return
    yield line(Span(" Service ", "strong"), Span(identity.cluster_id, "dim"))
    spoken: dict[str, list[str]] = {}
    for key, value in sorted(identity.settings.items()):
        thing, _, rest = key.partition(".")
        spoken.setdefault(thing, []).append(f"{rest} {value}" if rest else value)
    for thing, all_of_it in spoken.items():
        facts = _by_reason(all_of_it) if thing == "unknown" else _short(all_of_it)
        role = "stale" if thing == "unknown" else "text"
        label = "not known" if thing == "unknown" else thing
        yield from wrap(", ".join(facts), width - 1, " " * 14, role, (Span(f"  {label:<12}", "dim"),))


def _by_reason(facts: list[str]) -> list[str]:
    """Facts `what why`, those with the same reason together: "clusters, profiles: not answered"."""
    reasons: dict[str, list[str]] = {}
    for fact in facts:
        what, _, why = fact.partition(" ")
        reasons.setdefault(why, []).append(what)
    return [f"{', '.join(what)}: {why}" for why, what in reasons.items()]


def _short(facts: list[str]) -> list[str]:
    """Facts that all end in the same word as one: "6 granted"."""
    words = {fact.rpartition(" ")[2] for fact in facts}
    return [f"{len(facts)} {words.pop()}"] if len(facts) > 2 and len(words) == 1 else facts


def _section(name: str, part: Observed[Any], old: bool, shown: int, now: float) -> Line:
    words, role = freshness(part, now, SLOW_LIVE_SECONDS)
    total = "" if part.value is None else f" {count(len(part.value))}" if part.value else " none"
    some = f", {count(shown)} shown" if part.value and shown != len(part.value) else ""
    cells: list[Cell] = [Span(f" {name}", "strong"), Span(total + some, "dim")]
    if words != "live" and not old:
        cells.append(Span(f"  {words}", role))
    if part.error and not old:
        cells.append(Span(f": {part.error}", "bad"))
    return line(*cells)


def _greyed(each: Line) -> Line:
    return Line(tuple(Span(piece.text, "stale") for piece in each.spans), "stale")


def _peers(reading: Reading, side: Side, width: int, wanted: Callable[[str], bool]) -> Iterable[Line]:
    rows = [each for each in reading.peers.get(side, ()) if wanted(each.id)]
    name = _column([each.id for each in rows], width, 0.3)
    for each in rows:
        text = f"{each.text}  to {each.to}" if each.to else each.text
        cells = (Span(each.id, "strong"), Span(each.word.upper(), each.role), text)
        yield row(cells, (name, 11, max(0, width - name - 16)), indent=2)


def _snapshots(cluster: ClusterView, now: float, width: int, wanted: Callable[[str], bool]) -> Iterable[Line]:
    rows: list[Snapshot] = [each for each in cluster.snapshots.value or () if wanted(each.name)]
    ours = {each.name: each for each in cluster.stats.value or ()}
    rows.sort(key=lambda each: (each.name not in ours, -each.created_ms))
    name = _column([each.name for each in rows], width, 0.45)
    for each in rows:
        stats = ours.get(each.name)
        bytes_ = size(stats.bytes) if stats else ""
        age = age_words(now - each.created_ms / 1000).replace("live", "new")
        damage = "CORRUPT " if stats and stats.corrupt else ""
        mark = Span(f"{damage}ours" if stats else each.table, "bad" if damage else "dim")
        yield row((each.name, bytes_, age, mark), (name, 9, 10, max(0, width - name - 26)), indent=2)


def _tables(reading: Reading, side: Side, wanted: Callable[[str], bool]) -> list[Table]:
    """The tables this migration moves first."""
    rows = [each for each in reading.view.side(side).tables.value or () if wanted(each.name)]
    return sorted(rows, key=lambda each: each.name not in reading.moved)


def _table_row(reading: Reading, side: Side, tables: Sequence[Table], width: int) -> Callable[[int], Line]:
    writes = {each.table: each.total for each in reading.view.side(side).writes.value or ()}
    name = _column([each.name for each in tables], width, 0.42)

    def make(index: int) -> Line:
        each = tables[index]
        title = Span(each.name, "strong" if each.name in reading.moved else "text")
        if not any(family.retention for family in each.families):
            return _hbase_row(each, title)
        kept = "  ".join(f"{family.name} {family.retention or 'keeps all'}" for family in each.families)
        guard = Span("protected" if each.attributes.get("deletion_protection") == "true" else "", "dim")
        return row((title, guard, kept), (name, 9, max(0, width - name - 14)), indent=2)

    def _hbase_row(each: Table, title: Span) -> Line:
        state = Span("enabled", "dim") if each.enabled else Span("DISABLED", "warn")
        counter = f"{count(writes[each.name])} writes" if each.name in writes else ""
        cells: Sequence[Cell] = (title, state, plural(each.regions, "region"), _scope(each), counter)
        return row(cells, (name, 8, 10, 9, max(0, width - name - 34)), indent=2)

    return make


def _scope(table: Table) -> Cell:
    scoped = sum(1 for family in table.families if family.scope)
    if not scoped:
        return Span("scope 0", "dim")
    return "scope 1" if scoped == len(table.families) else Span(f"mixed {scoped}/{len(table.families)}", "warn")


def _column(texts: Sequence[str], width: int, share: float) -> int:
    return min(max([len(text) for text in texts], default=1), max(8, int(width * share)))
