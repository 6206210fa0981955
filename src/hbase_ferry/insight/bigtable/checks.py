"""Every check of a crossing to Bigtable before anything is changed. See `preflight`."""

from __future__ import annotations

from collections.abc import Sequence

from hbase_ferry.insight.bigtable.pages import BigtableWish
from hbase_ferry.insight.checks.base import Finding, TableWish
from hbase_ferry.model.view import View

__all__ = ["BigtableWish", "preflight"]


def preflight(
    view: View,
    tables: Sequence[TableWish],
    peer_id: str,
    wish: BigtableWish,
    *,
    min_free_fraction: float = 0.15,
    run_id: str = "",
) -> tuple[Finding, ...]:
    """All findings in a fixed order, one a check."""
    return ()
