"""The plan's states: what is done counts only in order, lanes wait for their own table, shared steps for all."""

from __future__ import annotations

from pathlib import Path

from hbase_ferry.cluster.simulator.embedded import CUSTOMERS, demo_settings
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.targets import build_plan
from migration.embedded import ORDERS, Crossing, run


def test_nothing_is_done_before_the_first_step_although_no_peer_is_there_to_remove(tmp_path: Path) -> None:
    service = Crossing(tmp_path).service()
    states = [status.state for status in service.status(service.observe())]
    assert states == [StepState.READY] + [StepState.LATER] * (len(states) - 1)


def test_a_lane_waits_for_its_own_table_and_a_shared_step_for_all() -> None:
    plan = build_plan(demo_settings(tables=(ORDERS, CUSTOMERS)), "000007")
    restore = {step.id for step in plan.before(plan.step(f"restore:{CUSTOMERS}"))}
    assert f"export:{CUSTOMERS}" in restore and f"export:{ORDERS}" not in restore
    enable = {step.id for step in plan.before(plan.step("enable-peer"))}
    assert {f"hold-compaction:{ORDERS}", f"hold-compaction:{CUSTOMERS}"} <= enable


def test_a_peer_disabled_by_hand_puts_every_later_step_back(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, demo_settings())
    service = crossing.service()
    run(service, "caught-up")
    list(service.undo("enable-peer"))
    states = {status.step.id: status.state for status in service.status(service.observe())}
    assert states["enable-peer"] is StepState.READY
    assert states["caught-up"] is StepState.LATER
    run(service, "caught-up")
    states = {status.step.id: status.state for status in service.status(service.observe())}
    assert states["caught-up"] is StepState.DONE


def test_names_of_two_tables_that_look_alike_never_meet(tmp_path: Path) -> None:
    plan = build_plan(demo_settings(tables=("a:b_c", "a_b:c")), "000007")
    names = {effect.action.params["name"] for step in plan.steps if step.id.startswith("snapshot:")
             for effect in step.effects(Crossing(tmp_path).service().view)}
    assert len(names) == 2
