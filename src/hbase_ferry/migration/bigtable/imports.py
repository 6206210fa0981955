"""The import jobs of earlier attempts: one that still runs brings back what was deleted meanwhile.

They are found by what the journal was told to start, so that one whose record is not seen is unknown, never over.
Called by the steps that create a table, copy into it and let the peer ship over it.
"""

from __future__ import annotations

import re

from hbase_ferry.migration import commands
from hbase_ferry.migration.bigtable import beam
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.core import Gate
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import View


def import_gates(ctx: BigtableContext, view: View, table: str) -> tuple[Gate, ...]:
    """One closed gate for every earlier import into the table that runs, may run in Dataflow, or is not seen."""
    found = (_gate(ctx, view, table, job_id) for job_id in _earlier(ctx, view, table))
    return tuple(gate for gate in found if gate is not None)


def _earlier(ctx: BigtableContext, view: View, table: str) -> list[str]:
    """Ids of the imports into the table, of whichever generation, creation and attempt, but the present one. A table
    that is not there has none of the present: what was started for the one before would fill the next."""
    number = [each.name for each in ctx.settings.tables].index(table) + 1
    named = re.compile(rf"{re.escape(ctx.run_id)}(-g\d+)?-import(-t\d+)?-{number}-\d+")
    there = view.target.table(table) is not None
    present = {ctx.job(view, "import", table)} if ctx.uses_beam and there else set()
    return sorted(name for name in {*view.started, *view.jobs} - present if named.fullmatch(name))


def _gate(ctx: BigtableContext, view: View, table: str, job_id: str) -> Gate | None:
    state, name, source = view.job(job_id), f"lost.{job_id}", ctx.side_name(Side.SOURCE)
    if state is None:
        text = (
            f"job {job_id} was started to import into {table}, and {source} does not show it: look whether it still "
            f"runs; when it is over, accept gate {name}"
        )
        return Gate(name, None, text, waivable=True)
    if state.alive:
        text = f"job {job_id} of an earlier attempt still imports into {table}: await its end, or stop it on {source}"
        return Gate(name, False, text)
    return pipeline_gate(ctx, view, job_id)


def pipeline_gate(ctx: BigtableContext, view: View, job_id: str) -> Gate | None:
    """Closed where the job's pipeline may run on in Dataflow without the process that started it."""
    look = beam.may_still_run(ctx.bigtable, view.job(job_id))
    if look is None:
        return None
    name = f"lost.{job_id}"
    text = f"the pipeline of {job_id} may still run: `{commands.line(look)}`; when it is over, waive {name}"
    return Gate(name, False, text, waivable=True)
