"""The sample before anything is copied: in pieces, so that it can be stopped and goes on where it stood."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hbase_ferry.errors import FerryError, Unreachable
from hbase_ferry.migration.bigtable.sample import CURSOR, REGIONS_A_PIECE, ROWS_A_REGION, SAMPLED
from hbase_ferry.migration.core import StepState
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from migration.embedded import Crossing, Meddled, bigtable_settings, run

TABLE = "orders"
STEP = f"sample:{TABLE}"


def test_a_sample_that_was_cut_off_reads_on_at_the_next_regions(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(TABLE))
    service = crossing.service()
    scans, broken = 0, True

    def cut(method: str, go: Callable[[], Json]) -> Json:
        nonlocal scans
        scans += method == "rows.scan"
        if method == "rows.scan" and broken and scans > REGIONS_A_PIECE:
            raise Unreachable("gone")
        return go()

    crossing.wrap = lambda side, wire: Meddled(wire, cut) if side is Side.SOURCE else wire
    service = crossing.service()
    run(service, "preflight")
    with pytest.raises(FerryError):
        list(service.execute(STEP, service.preview(STEP).confirmation.expected))

    broken = False
    service = crossing.service()
    view = service.observe()
    begun = view.proof(CURSOR, TABLE)
    assert begun is not None and view.proof(SAMPLED, TABLE) is None
    assert int(begun.basis["rows"]) == REGIONS_A_PIECE * ROWS_A_REGION
    state = next(status for status in service.status(view) if status.step.id == STEP)
    assert state.state is StepState.RUNNING and state.progress and "further regions follow" in state.progress.text

    scans = 0
    list(service.execute(STEP, service.preview(STEP).confirmation.expected))
    view = service.observe()
    regions, done = view.source.table_writes(TABLE), view.proof(SAMPLED, TABLE)
    assert regions is not None and done is not None and len(regions.regions) > REGIONS_A_PIECE
    assert scans == len(regions.regions) - REGIONS_A_PIECE
    assert int(done.basis["rows"]) == len(regions.regions) * ROWS_A_REGION
