"""Why a peer that ships to Bigtable stalls. See `causes`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hbase_ferry.insight.stalls import Cause
from hbase_ferry.model.cluster import ClusterView


@dataclass(frozen=True)
class Rate:
    """What one region server's queues of a peer moved, per second; None: not known."""

    server: str
    eligible: float | None
    shipped: float | None
    seconds: float


def causes(peer_id: str, source_history: Sequence[ClusterView], target: ClusterView) -> tuple[Cause, ...]:
    """Every cause that the newest views show, the likeliest first; as `insight.stalls.causes`."""
    return ()


def rates(history: Sequence[ClusterView], peer_id: str) -> tuple[Rate, ...]:
    """Entries handed over and operations shipped, per second and server, over about 30 s."""
    return ()


def spin_cost(rate: float) -> str:
    """What attempts at this rate a second cost, as words."""
    return ""
