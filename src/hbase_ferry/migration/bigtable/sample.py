"""Before anything is copied: some rows of every region are read for what Bigtable cannot hold.

Times of reverse-timestamp schemas (Long.MAX_VALUE - now), cells, keys and rows above the limits: no counter tells of
them before they are lost or stall the peer. A sample finds what is common, and proves nothing about what is rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hbase_ferry.insight.format import count
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.compare.copying import taken_of
from hbase_ferry.migration.core import Caller, Progress, Work
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.model.bigtable import names as limits
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.rows import RowPage
from hbase_ferry.model.view import Proof, View

SAMPLED = "sampled"
"""Kind of the proof with a table's numbers."""
ROWS_A_REGION = 200
MAX_REGIONS = 50
"""Regions that are looked into, evenly spread."""
PAGE_BYTES = 4_000_000


@dataclass(frozen=True, kw_only=True)
class SampleRows(FerryStep):
    """Reads the sample of one table, and puts its numbers on record."""

    ctx: BigtableContext = field(repr=False)

    def work(self, view: View) -> Work | None:
        writes = view.source.table_writes(self.lane)
        if view.proof(SAMPLED, self.lane) is not None or writes is None:
            return None
        starts = sorted({region.start_hex for region in writes.regions})
        chosen = [starts[n * len(starts) // MAX_REGIONS] for n in range(MAX_REGIONS)]
        chosen = starts if len(starts) <= MAX_REGIONS else chosen
        families = list(self.ctx.table(self.lane).families)
        return Work(
            f"read {ROWS_A_REGION} rows of each of {len(chosen)} regions of {self.lane}",
            lambda clusters: self._read(clusters, chosen, families),
        )

    def says(self, view: View) -> tuple[str, ...]:
        return (
            f"scan '{self.lane}', {{STARTROW => <region start>, LIMIT => {ROWS_A_REGION}, VERSIONS => 2147483647}} "
            f"for up to {MAX_REGIONS} regions",
        )

    def _read(self, clusters: Mapping[Side, Caller], starts: list[str], families: list[str]) -> Proof:
        found = dict.fromkeys(("rows", "cells", "skipped_rows", "large_cells", "long_keys", "reverse_timestamps"), 0)
        for start in starts:
            page = clusters[Side.SOURCE].call(
                "rows.scan",
                {
                    "table": self.lane,
                    "families": list(families),
                    "start": start,
                    "stop": "",
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
        return Proof(SAMPLED, self.lane, 0.0, {key: str(n) for key, n in found.items()}, text)

    def waiting_for(self, view: View) -> str | None:
        if view.proof(SAMPLED, self.lane) is not None:
            return None
        if view.source.table_writes(self.lane) is None:
            return f"the regions of {self.lane} on {self.name(Side.SOURCE)} were not seen"
        return f"no rows of {self.lane} were looked at yet"

    def progress(self, view: View) -> Progress | None:
        proof = view.proof(SAMPLED, self.lane)
        return Progress(int(proof.basis["rows"]), None, "rows", proof.note) if proof else None


def _count(page: RowPage, found: dict[str, int]) -> None:
    found["skipped_rows"] += len(page.skipped)
    for key, cells in page.rows:
        found["rows"] += 1
        found["cells"] += len(cells)
        found["long_keys"] += len(key) // 2 > limits.ROW_KEY_BYTES
        found["large_cells"] += len(cells) - len(taken_of(limits.LIMITS, cells))
        found["reverse_timestamps"] += sum(time // 1000 >= limits.MAX_TIME_MILLIS for _, _, time, _ in cells)
