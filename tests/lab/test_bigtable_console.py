"""The whole crossing into Bigtable from the screen, a dry run first: every step by keys, under live writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from bigtable_crossing import BigtableCrossing
from by_keys import cross_by_keys
from waiting import wait_until

from hbase_ferry.model.event import Event, EventKind
from lab import BigtableLab

pytestmark = pytest.mark.lab

DROPPED = "source.ferry_b_dry.bigtableDroppedIncompatibleMutations"


def test_a_table_crosses_by_keys_after_a_dry_run_that_told_what_would_be_lost(
    bigtable_lab: BigtableLab, tmp_path: Path
) -> None:
    crossing = BigtableCrossing(bigtable_lab, tmp_path, "b", rows=20_000, dry_run=True, dry_run_seconds=5)
    service = crossing.ferry.service

    def dropped() -> int:
        return sum(bigtable_lab.replication_bean(server).get(DROPPED, 0) for server in ("server1", "server2"))

    def write_what_bigtable_cannot_do(event: Event) -> None:
        if (event.kind, event.step) == (EventKind.STEP_STARTED, "dry-run-count"):
            crossing.workload.incompatible("delete")
            wait_until(lambda: dropped() == 2, 60, "the deletes that the dry run counts")
            crossing.assert_nothing_arrived()

    service.subscribe(write_what_bigtable_cannot_do)
    try:
        cross_by_keys(crossing)
        crossing.assert_crossed()
        assert [loss.kind for loss in crossing.losses()] == ["converted"], "the dry run's losses are not the crossing's"
        told = service.view.proof("dry-run", "ferry_b_dry")
        assert told is not None and "2 mutations that Bigtable cannot do were dropped" in told.note
        assert "turned into deletes of a whole family" in told.note
        assert crossing.sent_to_peers() == [
            ("peer.add", "ferry_b_dry"),
            ("peer.enable", "ferry_b_dry"),
            ("peer.remove", "ferry_b_dry"),
            ("peer.add", "ferry_b"),
            ("peer.enable", "ferry_b"),
            ("peer.disable", "ferry_b"),
            ("peer.remove", "ferry_b"),
        ]
    finally:
        crossing.close()
