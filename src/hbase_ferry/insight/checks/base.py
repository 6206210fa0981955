"""What every check of the preflight is made of: a question, a finding, and the words for what was not
observed.

Invariant: a check that lacks a fact answers `unknown` and names the fact; unknown never counts as ok.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hbase_ferry.model.cluster import ClusterView, Observed, Side
from hbase_ferry.model.view import View

Severity: TypeAlias = Literal["block", "warn", "ok", "unknown"]

_BADNESS: tuple[Severity, ...] = ("block", "unknown", "warn", "ok")


@dataclass(frozen=True)
class TableWish:
    """A table to move; no families named: all of them."""

    name: str
    families: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One check's answer. `side` None: it speaks of both."""

    check: str
    severity: Severity
    text: str
    side: Side | None


@dataclass(frozen=True)
class Ask:
    """Everything the checks look at."""

    view: View
    tables: tuple[TableWish, ...]
    peer_id: str
    min_free_fraction: float = 0.15
    skip_tmp: bool | None = None
    run_id: str = ""
    max_skew_ms: int = 30_000
    endpoint: str = ""
    "the endpoint class of this migration's peer; empty: HBase's own, and the target is an HBase cluster"

    @property
    def sides(self) -> tuple[ClusterView, ...]:
        """The HBase clusters of the migration."""
        return (self.view.source,) if self.endpoint else (self.view.source, self.view.target)


def join(check: str, parts: Iterable[Finding], ok: str, side: Side | None = None) -> Finding:
    """One finding of several: the worst severity, with the sentences that made it; `ok` where nothing is
    wrong."""
    found = [part for part in parts if part.severity != "ok"]
    if not found:
        return Finding(check, "ok", ok, side)
    severity = min((part.severity for part in found), key=_BADNESS.index)
    ordered = sorted(found, key=lambda part: _BADNESS.index(part.severity))
    sides = {part.side for part in found}
    where = sides.pop() if len(sides) == 1 else None
    return Finding(check, severity, "; ".join(part.text for part in ordered), where if side is None else side)


def missing(check: str, view: ClusterView, what: str, part: Observed[Any]) -> Finding:
    """The finding for a fact that was not observed."""
    why = part.error or "not observed yet"
    return Finding(check, "unknown", f"{what} of {view.name} not known: {why}", view.side)


def flag(view: ClusterView, key: str, default: bool) -> bool:
    """A boolean setting of the side's hbase-site; the default where it is not set."""
    settings = view.identity.value.settings if view.identity.value else {}
    text = settings.get(key, "").strip().lower()
    return default if text not in ("true", "false") else text == "true"


def setting(view: ClusterView, key: str) -> str:
    """A setting of the side's hbase-site (or of the site files beside it); empty where it is not set."""
    return view.identity.value.settings.get(key, "").strip() if view.identity.value else ""
