"""The repair of one row that a comparison found different: the source's row is written to the target again.

Invariant: only ever on an operator's demand, one named row at a time; it adds and overwrites cells and deletes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hbase_ferry.errors import Refused
from hbase_ferry.insight.format import plural
from hbase_ferry.migration.compare.copying import fitted, write_rows
from hbase_ferry.migration.compare.engine import row_of
from hbase_ferry.migration.compare.reading import Reading
from hbase_ferry.migration.compare.result import brief
from hbase_ferry.migration.core import Caller
from hbase_ferry.model.cluster import Side


@dataclass(frozen=True)
class Repair:
    """Rows of one table. `families`: only these; empty: all."""

    table: str
    families: tuple[str, ...] = ()

    def row(self, sides: Mapping[Side, Caller], key: str) -> str:
        """Writes the row with this key (hex) and says what it wrote.

        Raises Refused where the source has no such row or it is too large, AgentError, Unreachable.
        """
        source, target = sides[Side.SOURCE], sides[Side.TARGET]
        cells = row_of(source, Reading(self.table, self.families, values="full"), key)
        if cells is None:
            raise Refused(f"row {brief(key)} of {self.table} is too large for one answer of {source.name}: not written")
        if not cells:
            raise Refused(f"{source.name} has no row {brief(key)} in {self.table}: delete it on {target.name} instead")
        row, clamped, _ = fitted((key, cells))
        write_rows(target, self.table, [row])
        note = f", {clamped} of them with the greatest time it holds" if clamped else ""
        return f"wrote {plural(len(row[1]), 'cell')} of row {brief(key)} of {self.table} to {target.name}{note}"
