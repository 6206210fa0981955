"""Brings the embedded pair, on a clock that only moves when somebody waits, to a moment worth a picture."""

from __future__ import annotations

from hbase_ferry.cluster.simulator.endpoint import BigtableEndpoint, Strange, class_of
from hbase_ferry.migration.core import StepState
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind
from hbase_ferry.wiring import Ferry, demo


def start(*, acting: bool = True, tables: int = 6, target: str = "hbase") -> Ferry:
    """Nothing done yet; both sides looked at a few times, so that verdicts over time have something to say."""
    ferry = demo(seed=7, tables=tables, target=target, stepping=True, acting=acting)
    look(ferry, 6)
    return ferry


def look(ferry: Ferry, times: int = 1, apart: float = 3.0) -> None:
    """What the pollers would do, here and in order."""
    for _ in range(times):
        ferry.service.clock.sleep(apart)
        view = ferry.service.observe()
        for side in Side:
            ferry.seen(view.side(side))


def run_to(ferry: Ferry, step_id: str) -> None:
    """Does every step before `step_id`, as an operator would who confirms everything."""
    for status in ferry.service.status():
        if status.step.id == step_id:
            return
        if status.state is not StepState.DONE or _undone_before(ferry, status.step.id):
            _do(ferry, status.step.id)
        look(ferry)


def _undone_before(ferry: Ferry, step_id: str) -> bool:
    now = {each.step.id: each.state for each in ferry.service.status()}
    return now[step_id] is not StepState.DONE


def _do(ferry: Ferry, step_id: str) -> None:
    typed = ferry.service.preview(step_id).confirmation.expected
    for _ in ferry.service.execute(step_id, typed):
        pass


def half_way(ferry: Ferry, step_id: str, fraction: float = 0.5) -> None:
    """Begins a step with progress and stops watching it once it has come that far: its job goes on."""
    run_to(ferry, step_id)
    going = ferry.service.execute(step_id, ferry.service.preview(step_id).confirmation.expected)
    for event in going:
        if event.kind is EventKind.PROGRESS:
            look(ferry)
            status = next(each for each in ferry.service.status() if each.step.id == step_id)
            if status.progress and status.progress.total and status.progress.done >= fraction * status.progress.total:
                break
    going.close()


def whole(ferry: Ferry) -> None:
    """The crossing to its end."""
    for step in ferry.service.plan.steps:
        if _undone_before(ferry, step.id):
            _do(ferry, step.id)
        look(ferry)


def pieces(ferry: Ferry, step_id: str, number: int) -> None:
    """Begins a step that works by itself and stops after so many pieces."""
    run_to(ferry, step_id)
    going = ferry.service.execute(step_id, ferry.service.preview(step_id).confirmation.expected)
    left = number
    for event in going:
        left -= event.kind is EventKind.PROOF
        if left == 0:
            break
    going.close()
    look(ferry, 2)


def write_what_is_dropped(ferry: Ferry, table: str, rows: int) -> None:
    """Deletes that Bigtable has no like of, and enough time for the servers' pages to show them."""
    assert ferry.world is not None
    source = ferry.world.clusters[Side.SOURCE]
    endpoint = source.endpoints[class_of(source)]
    assert isinstance(endpoint, BigtableEndpoint)
    for row in range(rows):
        endpoint.write(source, table, row, Strange.FAMILY_VERSION)
    look(ferry, 8)
