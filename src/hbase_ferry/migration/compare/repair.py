"""The repair of one row that a comparison found different: the source's row is written to the target again.

Invariant: only ever on an operator's demand, one named row at a time; it adds and overwrites cells and deletes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hbase_ferry.errors import Refused
from hbase_ferry.insight.format import plural
from hbase_ferry.migration.compare.copying import fitted, taken_of, write_rows
from hbase_ferry.migration.compare.engine import row_of
from hbase_ferry.migration.compare.reading import Reading
from hbase_ferry.migration.compare.result import brief
from hbase_ferry.migration.core import Caller
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.rows import Limits


@dataclass(frozen=True)
class Repair:
    """Rows of one table. `families`: only these; empty: all. `limits`: of the target; what is above them is left out,
    as the copy left it."""

    table: str
    families: tuple[str, ...] = ()
    limits: Limits = Limits()

    def row(self, sides: Mapping[Side, Caller], key: str) -> str:
        """Writes the row with this key (hex) and says what it wrote.

        Raises Refused where the source has no such row, it is too large or the target can take nothing of it,
        AgentError, Unreachable.
        """
        source, target = sides[Side.SOURCE], sides[Side.TARGET]
        cells = row_of(source, Reading(self.table, self.families, values="full"), key)
        if cells is None:
            raise Refused(f"row {brief(key)} of {self.table} is too large for one answer of {source.name}: not written")
        if not cells:
            raise Refused(f"{source.name} has no row {brief(key)} in {self.table}: delete it on {target.name} instead")
        taken = taken_of(self.limits, cells) if self.limits.takes_key(key) else ()
        if not taken:
            raise Refused(
                f"{target.name} can hold nothing of row {brief(key)} of {self.table}: its key, or every cell of it, is "
                f"larger than it takes"
            )
        row, clamped, _ = fitted((key, taken))
        write_rows(target, self.table, [row])
        note = f", {clamped} of them with the greatest time it holds" if clamped else ""
        left = len(cells) - len(taken)
        note += f"; {plural(left, 'cell')} larger than it takes left out" if left else ""
        return f"wrote {plural(len(row[1]), 'cell')} of row {brief(key)} of {self.table} to {target.name}{note}"
