"""Checks of the tables to move: there, whole, and able to live on the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hbase_ferry.insight.checks.base import Ask, Finding, TableWish, join, missing
from hbase_ferry.insight.versions import prefix_tree_removed
from hbase_ferry.model.cluster import Family, Side, Table

_NATIVE = ("LZO", "SNAPPY", "LZ4", "BZIP2", "ZSTD")


def findings(ask: Ask) -> Iterator[Finding]:
    """Every check of this module."""
    yield _each(ask, "source-tables", _exists, "every table is there and enabled")
    yield _each(ask, "families", _families, "every family is there")
    yield _namespaces(ask)
    yield _target_tables(ask)
    yield _each(ask, "compression", _compression, "no family needs a native codec")
    yield _each(ask, "encoding", _encoding, "every block encoding exists on the target")
    yield _each(ask, "coprocessors", _coprocessors, "no table carries a coprocessor")
    yield _each(ask, "mob", _mob, "no family keeps MOBs")
    yield _each(ask, "durability", _durability, "every table writes its WAL")


def source_findings(ask: Ask) -> Iterator[Finding]:
    """Those that ask nothing of an HBase target."""
    yield _each(ask, "source-tables", _exists, "every table is there and enabled")
    yield _each(ask, "families", _families, "every family is there")
    yield _each(ask, "durability", _durability, "every table writes its WAL")


def _each(
    ask: Ask, check: str, look: Callable[[Ask, TableWish, Table], Iterator[Finding]], ok: str
) -> Finding:
    """The check over every wished table of the source that is there; only `source-tables` speaks of the
    others."""
    source = ask.view.source
    if source.tables.current is None:
        return missing(check, source, "tables", source.tables)
    parts: list[Finding] = []
    for wish in ask.tables:
        table = source.table(wish.name)
        if table is not None:
            parts.extend(look(ask, wish, table))
        elif look is _exists:
            parts.append(Finding(check, "block", f"{source.name} has no table {wish.name}", Side.SOURCE))
        else:
            parts.append(
                Finding(check, "unknown", f"not known for {wish.name}, which is not there", Side.SOURCE)
            )
    return join(check, parts, ok, Side.SOURCE)


def _exists(ask: Ask, wish: TableWish, table: Table) -> Iterator[Finding]:
    if not table.enabled:
        text = f"{wish.name} is disabled on {ask.view.source.name}: enable it, or its writes are not live"
        yield Finding("", "block", text, Side.SOURCE)


def _families(ask: Ask, wish: TableWish, table: Table) -> Iterator[Finding]:
    for name in wish.families:
        if table.family(name) is None:
            there = ", ".join(family.name for family in table.families)
            text = f"{wish.name} has no family {name}; it has {there or 'none'}"
            yield Finding("", "block", text, Side.SOURCE)


def _moving(wish: TableWish, table: Table) -> tuple[Family, ...]:
    return tuple(f for f in table.families if not wish.families or f.name in wish.families)


def _namespaces(ask: Ask) -> Finding:
    check, target = "namespaces", ask.view.target
    if target.namespaces.current is None:
        return missing(check, target, "namespaces", target.namespaces)
    wanted = {wish.name.split(":", 1)[0] for wish in ask.tables if ":" in wish.name}
    absent = sorted(wanted - set(target.namespaces.current))
    if absent:
        text = f"{target.name} lacks {', '.join(absent)}: the next step creates it before any restore"
        return Finding(check, "ok", text, target.side)
    return Finding(check, "ok", f"every namespace is on {target.name}", target.side)


def _target_tables(ask: Ask) -> Finding:
    check, target = "target-tables", ask.view.target
    if target.tables.current is None:
        return missing(check, target, "tables", target.tables)
    there = [table for wish in ask.tables if (table := target.table(wish.name)) is not None]
    if not there:
        return Finding(check, "ok", f"none of the tables is on {target.name} yet", target.side)
    names = ", ".join(f"{t.name} ({'enabled' if t.enabled else 'disabled'})" for t in there)
    text = f"{target.name} already has {names}: a restore would overwrite it; rename or drop it first"
    return Finding(check, "block", text, target.side)


def _compression(ask: Ask, wish: TableWish, table: Table) -> Iterator[Finding]:
    for family in _moving(wish, table):
        if family.compression.upper() in _NATIVE:
            text = (
                f"{table.name}:{family.name} uses {family.compression}: its codec must be on every region server of "
                f"{ask.view.target.name} (hbase org.apache.hadoop.hbase.util.CompressionTest)"
            )
            yield Finding("", "warn", text, Side.TARGET)


def _encoding(ask: Ask, wish: TableWish, table: Table) -> Iterator[Finding]:
    target = ask.view.target.identity.current
    for family in _moving(wish, table):
        if family.data_block_encoding.upper() != "PREFIX_TREE":
            continue
        if target is None:
            yield missing("", ask.view.target, "version", ask.view.target.identity)
        elif prefix_tree_removed(target.hbase_version):
            text = (
                f"{table.name}:{family.name} uses PREFIX_TREE, which HBase {target.hbase_version} cannot read"
            )
            yield Finding("", "block", f"{text}: change it to FAST_DIFF and major-compact", Side.SOURCE)


def _coprocessors(ask: Ask, wish: TableWish, table: Table) -> Iterator[Finding]:
    if table.coprocessors:
        classes = ", ".join(table.coprocessors[:3])
        text = f"{table.name} carries {classes}: the classes must be on {ask.view.target.name}"
        yield Finding("", "warn", text, Side.TARGET)


def _mob(ask: Ask, wish: TableWish, table: Table) -> Iterator[Finding]:
    mobs = [family.name for family in _moving(wish, table) if family.mob]
    if not mobs:
        return
    target = ask.view.target.identity.current
    if target is None:
        yield missing("", ask.view.target, "version", ask.view.target.identity)
    elif target.major < 2:
        text = (
            f"{table.name} keeps MOBs in {', '.join(mobs)}, which HBase {target.hbase_version} does not know"
        )
        yield Finding("", "block", text, Side.TARGET)
    else:
        text = f"{table.name} keeps MOBs in {', '.join(mobs)}: the snapshot carries more files than its regions show"
        yield Finding("", "warn", text, Side.SOURCE)


def _durability(ask: Ask, wish: TableWish, table: Table) -> Iterator[Finding]:
    if table.durability.upper() == "SKIP_WAL":
        text = f"{table.name} skips the WAL: writes after the snapshot would never reach the target"
        yield Finding("", "block", text, Side.SOURCE)
