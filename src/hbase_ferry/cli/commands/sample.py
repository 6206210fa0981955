"""`hbase-ferry sample`: some rows of each table, read through Thrift on both sides and compared."""

from __future__ import annotations

from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.errors import ConfigError, Problem
from hbase_ferry.insight.format import count, plural
from hbase_ferry.migration.sampling import Different, Fault, Sample, shown
from hbase_ferry.migration.settings import Settings, TableSettings

FIRST = 10
"""Different rows that are printed; JSON holds ten times as many."""


def run(out: Output, config: str, table: str, rows: int) -> ExitCode:
    """Samples one table or all of them. 3 where a row differs, 5 where a Thrift server does not answer."""
    from hbase_ferry import wiring
    from hbase_ferry.migration.config import load

    settings = load(config)
    tables, different = _tables(settings, table), False
    with wiring.sampler(settings) as sampler:
        for reader in (sampler.source, sampler.target):
            out.talk(f"{reader.name}: Thrift at {reader.told}")
        for chosen in tables:
            found = sampler.sample(chosen.name, rows, chosen.families)
            different = different or bool(found.different)
            if out.as_json:
                out.record(_record(found))
            else:
                _print(out, found)
    if different:
        out.talk("while the peer is DISABLED or behind, newer writes differ: take the sample after caught-up")
    return ExitCode.REFUSED if different else ExitCode.DONE


def _tables(settings: Settings, table: str) -> tuple[TableSettings, ...]:
    if not table:
        return settings.tables
    found = tuple(t for t in settings.tables if t.name == table)
    if not found:
        names = ", ".join(t.name for t in settings.tables)
        raise ConfigError([Problem("command line", 0, "TABLE", f'"{table}" does not migrate; tables are: {names}')])
    return found


def _print(out: Output, sample: Sample) -> None:
    out.line(
        f"{sample.table}: {plural(sample.rows, 'row')} of {plural(sample.regions, 'region')}, "
        f"{plural(sample.cells, 'cell')}: {count(sample.equal)} equal, {count(sample.pending)} pending, "
        f"{count(len(sample.different))} different"
    )
    if sample.different:
        out.line("  by their worst cell: " + ", ".join(f"{n} {fault}" for fault, n in sample.counts().items()))
    for row in sample.different[:FIRST]:
        out.line(f"  {shown(row.key)}  {_told(row)}")


def _told(row: Different) -> str:
    if row.whole:
        return "the whole row is on the source only" if row.fault is Fault.MISSING else "the whole row is extra"
    cells = [f"{shown(name)} {fault}" for name, fault in row.cells.items()]
    return ", ".join(cells[:FIRST]) + (f" and {len(cells) - FIRST} more" if len(cells) > FIRST else "")


def _record(sample: Sample) -> dict[str, object]:
    rows = [
        {"key": shown(row.key), "whole": row.whole, "cells": {shown(name): fault for name, fault in row.cells.items()}}
        for row in sample.different[: 10 * FIRST]
    ]
    return {"table": sample.table, "regions": sample.regions, "rows": sample.rows, "cells": sample.cells,
            "equal": sample.equal, "pending": sample.pending, "different": len(sample.different),
            "faults": {fault.value: n for fault, n in sample.counts().items()}, "first": rows}  # fmt: skip
