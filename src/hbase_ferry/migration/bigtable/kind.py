"""What makes a Bigtable instance a kind of target; the entry `migration.targets` builds."""

from __future__ import annotations

from hbase_ferry.insight import stalls
from hbase_ferry.migration.bigtable.plan import bigtable_plan
from hbase_ferry.migration.targets import TargetKind

PARTS = ("identity", "tables")
"""What an instance has of a ClusterView."""


def bigtable() -> TargetKind:
    """The entry."""
    return TargetKind("bigtable", bigtable_plan, PARTS, stalls.causes)
