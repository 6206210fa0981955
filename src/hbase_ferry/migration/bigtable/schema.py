"""What a table has to look like on Bigtable, derived from the source's table, and how the two are compared.

VERSIONS, TTL and MIN_VERSIONS of a family become one garbage collection rule, written as cbt writes it; HBase drops a
cell that is beyond VERSIONS, or older than TTL while MIN_VERSIONS newer ones exist (HBase guide, TTL). Pre-splits are
the source's region boundaries. Pure; called by the steps of `migration.bigtable`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hbase_ferry.model.bigtable.retention import FOREVER, NEVER_TEXT, parse
from hbase_ferry.model.cluster import Family, Table, TableWrites

MAX_SPLITS = 100
"""Initial splits asked for at most: Bigtable splits and merges by itself within minutes of load."""


def retention(family: Family) -> str:
    """The rule that keeps what HBase keeps."""
    versions = f"maxversions={max(1, family.versions)}"
    if not 0 < family.ttl_seconds < FOREVER:
        return versions
    age = f"maxage={family.ttl_seconds}s"
    if family.min_versions > 0:
        return f"(maxversions={family.min_versions} and {age}) or {versions}"
    return f"{versions} or {age}"


def same_retention(first: str, second: str) -> bool:
    """Whether two rules say the same, in whatever order their parts stand and in whatever unit their ages."""
    try:
        return parse(first or NEVER_TEXT) == parse(second or NEVER_TEXT)
    except ValueError:  # a rule of a kind that is not known
        return first == second


def families_to_create(table: Table, names: tuple[str, ...]) -> dict[str, str]:
    """Family -> rule, of the families that migrate."""
    return {name: retention(family) for name in names if (family := table.family(name)) is not None}


def differing(wanted: Mapping[str, str], there: Table) -> dict[str, str]:
    """Of the wanted families those that are missing on the target or keep something else."""
    found = {name: there.family(name) for name in wanted}
    return {
        name: rule
        for name, rule in wanted.items()
        if (family := found[name]) is None or not same_retention(family.retention, rule)
    }


def splits(writes: TableWrites | None) -> tuple[str, ...]:
    """The region boundaries of the source's table, in hex, thinned out evenly to at most MAX_SPLITS."""
    starts = sorted({region.start_hex for region in writes.regions if region.start_hex}) if writes else []
    if len(starts) <= MAX_SPLITS:
        return tuple(starts)
    return tuple(starts[n * len(starts) // MAX_SPLITS] for n in range(MAX_SPLITS))
