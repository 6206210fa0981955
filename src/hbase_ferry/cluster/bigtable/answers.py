"""The shapes in which both the real client and the simulated instance answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hbase_ferry.model.bigtable import retention
from hbase_ferry.model.event import Json

UNKNOWN_RULE = "unknown"
"""Retention of a family whose rule is of a kind that is not known here."""


def items(found: Iterable[Json], total: int) -> dict[str, Json]:
    return {"items": list(found), "total": total}


def done(note: str = "") -> dict[str, Json]:
    return {"changed": True, "note": note}


def same(note: str) -> dict[str, Json]:
    """It already is as asked."""
    return {"changed": False, "note": note}


def table(name: str, families: Mapping[str, retention.Rule | None], *, protected: bool) -> dict[str, Json]:
    """A `Table`; a family's rule None: not known. Bigtable splits by itself, so there are no regions to count."""
    return {
        "name": name, "enabled": True, "regions": 0,
        "families": [_family(family, families[family]) for family in sorted(families)],
        "coprocessors": [], "durability": "", "major_compaction": None,
        "attributes": {"deletion_protection": "true" if protected else "false"},
    }  # fmt: skip


def _family(name: str, rule: retention.Rule | None) -> Json:
    limits = retention.limits(rule) if rule is not None else retention.Limits(0, 0)
    return {
        "name": name, "scope": 0, "compression": "", "data_block_encoding": "", "versions": limits.versions,
        "ttl_seconds": limits.ttl_seconds, "keep_deleted_cells": "", "mob": False,
        "min_versions": limits.min_versions,
        "retention": retention.text(rule) if rule is not None else UNKNOWN_RULE,
    }  # fmt: skip


def canary(row: bytes, *, present: bool) -> dict[str, Json]:
    """A `CanaryRow`; an instance does not say which of its servers holds a row."""
    return {"row_hex": row.hex(), "region": "", "server": "", "present": present}


def differing(there: Mapping[str, retention.Rule | None], asked: Mapping[str, retention.Rule]) -> list[str]:
    """What a table that exists has otherwise than asked, as words; empty: nothing."""
    words = []
    for name, rule in asked.items():
        if name not in there:
            words.append(f"family {name} is missing")
        elif (found := there[name]) != rule:
            has = retention.text(found) if found is not None else UNKNOWN_RULE
            words.append(f"family {name} keeps {has}, not {retention.text(rule)}")
    return words + [f"family {name} is there too" for name in sorted(set(there) - set(asked))]
