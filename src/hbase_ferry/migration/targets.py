"""The kinds of target, one entry each: how its plan is assembled, what its side has, what a look asks for.

Everything else that knows a kind lies in that kind's own folders; a further kind is a further entry here. Called by the
service, `sight` and `wiring`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hbase_ferry.insight import stalls
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.migration.context import Context
from hbase_ferry.migration.core import Plan
from hbase_ferry.migration.plan import hbase_plan
from hbase_ferry.migration.settings import Settings
from hbase_ferry.model.cluster import PARTS, ClusterView, Side
from hbase_ferry.model.rows import Limits
from hbase_ferry.model.view import Proof, View
from hbase_ferry.model.watch import Watch

CLUSTER = tuple(part for part in PARTS if part != "servers")
"""What a cluster has where nobody asks for its servers' own pages."""


@dataclass(frozen=True)
class TargetKind:
    """What differs from one kind of target to another, above the wire."""

    name: str
    "as in `cluster.wire.Method.kinds`"
    plan: Callable[[Context], Plan]
    "the steps in their order"
    parts: tuple[str, ...]
    "of the target's ClusterView"
    causes: Callable[[str, Sequence[ClusterView], View], tuple[Cause, ...]]
    "peer id, the source's views, the newest view -> why the peer stalls, with evidence and remedy"
    source_parts: tuple[str, ...] = CLUSTER
    "of the source's ClusterView"
    repairs: bool = False
    "whether the target takes single rows (`rows.write`)"
    limits: Limits = Limits()
    "what one cell of such a row may have"
    jobs: bool = True
    "whether detached jobs run on the target's side too"
    watch: Callable[[Watch, Side, Settings], Watch] = lambda watch, side, settings: watch
    "what a look at one side asks for beyond what every migration needs"
    remember: Callable[[View, Settings, Sequence[ClusterView]], tuple[Proof, ...]] = lambda view, settings, looks: ()
    "what of this view, and of this process's looks at the source, has to be on disk: no later look will show it"


def _hbase() -> TargetKind:
    return TargetKind(
        "hbase", hbase_plan, CLUSTER, lambda peer, history, view: stalls.causes(peer, history, view.target)
    )


def _bigtable() -> TargetKind:
    from hbase_ferry.migration.bigtable.kind import bigtable

    return bigtable()


_KINDS: Mapping[str, Callable[[], TargetKind]] = {"hbase": _hbase, "bigtable": _bigtable}


def kind_of(settings: Settings) -> TargetKind:
    """The kind of this migration's target."""
    return _KINDS[settings.target.kind]()


def build_plan(settings: Settings, run_id: str) -> Plan:
    """The plan for these settings. `run_id` names snapshots, jobs and canaries; `<run>` gives a plan to read only."""
    return kind_of(settings).plan(Context(settings, run_id))
