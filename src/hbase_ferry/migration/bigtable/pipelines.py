"""Google's pipelines as a step needs them: the two command lines of a backfill or comparison, and what a job's counters say."""

from __future__ import annotations

from hbase_ferry.model.view import JobState

DROPPED = ("droppedRows", "droppedCells", "droppedRowKeys")


def dropped_by_import(state: JobState | None) -> int:
    """Rows, cells and row keys the import left out."""
    return sum(state.counters.get(name, 0) for name in DROPPED) if state is not None else 0
