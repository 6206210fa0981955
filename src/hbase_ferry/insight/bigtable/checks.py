"""Every check of a crossing to Bigtable before anything is changed: one named finding each. Pure; sends nothing.

Invariant: each check answers in every view, and what could not be observed is `unknown`, never `ok`. Names are stable:
they are gate names (`preflight.<check>`); those of Bigtable begin with `bt.`, the others are `insight.preflight`'s own.
Called by the plan's first step.
"""

from __future__ import annotations

from collections.abc import Sequence

from hbase_ferry.insight.bigtable import instance_checks, library, server_checks, source_checks
from hbase_ferry.insight.bigtable.pages import BigtableWish, Question
from hbase_ferry.insight.checks.base import Ask, Finding, TableWish
from hbase_ferry.insight.preflight import source_checks as generic_checks
from hbase_ferry.model.view import View

__all__ = ["BigtableWish", "of_servers", "preflight"]


def preflight(
    view: View,
    tables: Sequence[TableWish],
    peer_id: str,
    wish: BigtableWish,
    *,
    min_free_fraction: float = 0.15,
    run_id: str = "",
) -> tuple[Finding, ...]:
    """All findings in a fixed order, one a check: the source's own, the servers' pages, the instance."""
    question = _question(view, tables, peer_id, wish, min_free_fraction, run_id)
    modules = (source_checks, server_checks, instance_checks)
    return (*generic_checks(question.ask), *(finding for module in modules for finding in module.findings(question)))


def of_servers(
    view: View, tables: Sequence[TableWish], peer_id: str, wish: BigtableWish, *, run_id: str = ""
) -> tuple[Finding, ...]:
    """Those of them that read the servers' own pages alone, for gates that are asked at every paint."""
    return tuple(server_checks.findings(_question(view, tables, peer_id, wish, 0.0, run_id)))


def _question(
    view: View, tables: Sequence[TableWish], peer_id: str, wish: BigtableWish, min_free_fraction: float, run_id: str
) -> Question:
    identity = view.source.identity.value
    endpoint = wish.endpoint or library.endpoint_class(identity.major if identity else 2)
    ask = Ask(view, tuple(tables), peer_id, min_free_fraction, run_id=run_id, endpoint=endpoint)
    return Question(ask, wish)
