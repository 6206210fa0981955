"""Assembles the plan of a migration from HBase to a Bigtable instance."""

from __future__ import annotations

from hbase_ferry.migration.core import Plan
from hbase_ferry.migration.settings import Settings


def bigtable_plan(settings: Settings, run_id: str) -> Plan:
    """The steps in their order; see `targets.build_plan`."""
    return Plan((), tuple(table.name for table in settings.tables))
