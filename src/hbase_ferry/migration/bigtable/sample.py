"""Before anything is copied: some rows of every region are read for what Bigtable cannot hold.

Times of reverse-timestamp schemas (Long.MAX_VALUE - now), cells, keys and rows above the limits: no counter tells of
them before they are lost or stall the peer. A sample finds what is common, and proves nothing about what is rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hbase_ferry.insight.format import count, plural
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.compare.copying import taken_of
from hbase_ferry.migration.core import Caller, Progress, Work
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.model.bigtable import names as limits
from hbase_ferry.model.cluster import Side, TableWrites
from hbase_ferry.model.rows import RowPage
from hbase_ferry.model.view import Proof, View

SAMPLED = "sampled"
"""Kind of the proof with a table's numbers."""
CURSOR = "cursor.sample"
"""Kind of the proof with what was counted so far, and the first key of the last region that was looked into."""
ROWS_A_REGION = 200
MAX_REGIONS = 50
"""Regions that are looked into, evenly spread."""
REGIONS_A_PIECE = 5
"""Between two pieces a stop is heard."""
PAGE_BYTES = 4_000_000
_NUMBERS = ("rows", "cells", "skipped_rows", "large_cells", "long_keys", "reverse_timestamps")


@dataclass(frozen=True, kw_only=True)
class SampleRows(FerryStep):
    """Reads the sample of one table, and puts its numbers on record."""

    ctx: BigtableContext = field(repr=False)

    def work(self, view: View) -> Work | None:
        writes = view.source.table_writes(self.lane)
        if view.proof(SAMPLED, self.lane) is not None or writes is None:
            return None
        begun = view.proof(CURSOR, self.lane)
        found = {key: int(begun.basis[key]) if begun else 0 for key in _NUMBERS}
        left = [region for region in _spread(writes) if begun is None or region[0] > begun.basis["after"]]
        piece, last = left[:REGIONS_A_PIECE], len(left) <= REGIONS_A_PIECE
        families = list(self.ctx.table(self.lane).families)
        return Work(
            f"read {ROWS_A_REGION} rows of each of {plural(len(piece), 'region')} of {self.lane}",
            lambda clusters: self._read(clusters, piece, families, found, last),
        )

    def says(self, view: View) -> tuple[str, ...]:
        return (
            f"scan '{self.lane}', {{STARTROW => <region start>, STOPROW => <the next one's>, LIMIT => {ROWS_A_REGION}, "
            f"VERSIONS => 2147483647}} for up to {MAX_REGIONS} regions",
        )

    def _read(
        self,
        clusters: Mapping[Side, Caller],
        regions: list[tuple[str, str]],
        families: list[str],
        before: Mapping[str, int],
        last: bool,
    ) -> Proof:
        found = dict(before)
        for start, stop in regions:
            page = clusters[Side.SOURCE].call(
                "rows.scan",
                {
                    "table": self.lane,
                    "families": list(families),
                    "start": start,
                    "stop": stop,
                    "max_rows": ROWS_A_REGION,
                    "max_bytes": PAGE_BYTES,
                    "versions": 0,
                    "values": "full",
                },
            )
            _count(page, found)
        note = f"{self.lane}: {count(found['rows'])} rows with {count(found['cells'])} cells looked at"
        odd = [f"{count(n)} {key.replace('_', ' ')}" for key, n in found.items() if n and key not in ("rows", "cells")]
        text = f"{note}: {', '.join(odd) or 'nothing that Bigtable cannot hold'}"
        numbers = {key: str(n) for key, n in found.items()}
        if last:
            return Proof(SAMPLED, self.lane, 0.0, numbers, text)
        return Proof(CURSOR, self.lane, 0.0, {**numbers, "after": regions[-1][0]}, f"{text}; further regions follow")

    def partly_done(self, view: View) -> bool:
        return view.proof(CURSOR, self.lane) is not None and view.proof(SAMPLED, self.lane) is None

    def waiting_for(self, view: View) -> str | None:
        if view.proof(SAMPLED, self.lane) is not None:
            return None
        if view.source.table_writes(self.lane) is None:
            return f"the regions of {self.lane} on {self.name(Side.SOURCE)} were not seen"
        return f"the sample of {self.lane} is not read yet"

    def progress(self, view: View) -> Progress | None:
        proof = view.proof(SAMPLED, self.lane) or view.proof(CURSOR, self.lane)
        return Progress(int(proof.basis["rows"]), None, "rows", proof.note) if proof else None


def _spread(writes: TableWrites) -> list[tuple[str, str]]:
    """Of the regions that are looked into, in order, the first key and that of the region after it, in hex.

    A scan that ran on into the next region would count its rows again there.
    """
    starts = sorted({region.start_hex for region in writes.regions})
    regions = list(zip(starts, [*starts[1:], ""], strict=True))
    if len(regions) <= MAX_REGIONS:
        return regions
    return [regions[n * len(regions) // MAX_REGIONS] for n in range(MAX_REGIONS)]


def _count(page: RowPage, found: dict[str, int]) -> None:
    found["skipped_rows"] += len(page.skipped)
    for key, cells in page.rows:
        found["rows"] += 1
        found["cells"] += len(cells)
        found["long_keys"] += len(key) // 2 > limits.ROW_KEY_BYTES
        found["large_cells"] += len(cells) - len(taken_of(limits.LIMITS, cells))
        found["reverse_timestamps"] += sum(time // 1000 >= limits.MAX_TIME_MILLIS for _, _, time, _ in cells)
