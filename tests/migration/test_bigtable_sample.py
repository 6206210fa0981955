"""The sample before anything is copied: in pieces, so that it can be stopped and goes on where it stood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hbase_ferry.errors import FerryError, Unreachable
from hbase_ferry.migration.bigtable.sample import CURSOR, MAX_REGIONS, REGIONS_A_PIECE, ROWS_A_REGION, SAMPLED
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.targets import build_plan
from hbase_ferry.model.cluster import ClusterView, Observed, RegionWrites, Side, TableWrites
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import View
from migration.embedded import Crossing, Meddled, bigtable_settings, run
from migration.shelves import Shelf, plain

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


def sampled(starts: list[bytes], shelf: Shelf) -> dict[str, int]:
    """What a sample of a source with regions that begin so counts."""
    step = build_plan(bigtable_settings(TABLE), "00c0de").step(STEP)
    regions = tuple(RegionWrites(f"r{n}", "s", 0, start.hex()) for n, start in enumerate(starts))
    source = ClusterView(Side.SOURCE, "a", writes=Observed((TableWrites(TABLE, regions),), 1.0))
    view = View(1.0, source, ClusterView(Side.TARGET, "b"))
    while (work := step.work(view)) is not None:
        view = replace(view, proofs=(work.run({Side.SOURCE: shelf}),))
    return {key: int(number) for key, number in view.proofs[-1].basis.items()}


def test_each_row_is_counted_once_however_small_the_regions_are() -> None:
    rows = plain(300)
    rows[b"000029"][("d", b"late")] = {2**63 * 1000: b"v"}
    starts = [b"", *(b"%06d" % n for n in range(10, 300, 10))]
    found = sampled(starts, Shelf("a", rows))
    assert (found["rows"], found["reverse_timestamps"]) == (300, 1)


def test_a_region_that_is_looked_into_ends_where_the_next_one_begins_whether_that_is_chosen_or_not() -> None:
    shelf = Shelf("a", plain(1_000))
    starts = [b"", *(b"%06d" % n for n in range(10, 1_000, 10))]
    found = sampled(starts, shelf)
    assert len(shelf.scans) == MAX_REGIONS and found["rows"] == MAX_REGIONS * 10
