"""An agent that dies in the very moment it has acted: the step goes on without waiting for what nobody can see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hbase_ferry.cluster.wire import Wire
from hbase_ferry.errors import StepFailed, Unreachable
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind, Json
from migration.embedded import Crossing, Meddled, run


@pytest.mark.parametrize("arrived", [False, True], ids=["request lost", "answer lost"])
def test_a_canary_whose_removal_got_no_answer_is_removed_again_in_the_same_execution(
    tmp_path: Path, arrived: bool
) -> None:
    crossing = Crossing(tmp_path)
    calls: list[str] = []

    def meddle(method: str, go: Callable[[], Json]) -> Json:
        if method == "canary.delete":
            calls.append(method)
            if len(calls) < 3:
                if arrived:
                    go()
                raise Unreachable("the agent ended with exit code -9")
        return go()

    def wrap(side: Side, wire: Wire) -> Wire:
        return Meddled(wire, meddle) if side is Side.SOURCE else wire

    crossing.wrap = wrap
    service = crossing.service()
    run(service, "enable-peer")
    begun = crossing.clock.now()
    list(service.execute("caught-up"))
    assert len(calls) == 3
    assert crossing.clock.now() - begun < 60


def test_canary_rows_that_an_undo_took_away_before_they_arrived_prove_nothing(tmp_path: Path) -> None:
    """Nothing reaches the target and every metric looks well: only the canary can tell."""
    crossing = Crossing(tmp_path)
    crossing.gates(max_lag_ms=10**9, canary_timeout_seconds=40.0)
    service = crossing.service()
    run(service, "enable-peer")
    crossing.world.fault(Side.TARGET, "network")
    walk = service.execute("caught-up")
    for event in walk:
        if event.kind is EventKind.SENT:
            break
    walk.close()  # type: ignore[attr-defined]
    list(service.undo("caught-up"))
    with pytest.raises(StepFailed, match="did not come through"):
        list(service.execute("caught-up"))
    assert service.view.proof("caught-up", "ferry_orders") is None
    crossing.world.heal(Side.TARGET, "network")
    run(service)
    assert crossing.differences() == 0


def test_a_canary_of_an_earlier_shipping_proves_nothing_for_the_next_one(tmp_path: Path) -> None:
    """The peer was disabled by an undo and enabled again: what went through its queues before says nothing."""
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "caught-up")
    list(service.undo("enable-peer"))
    run(service, "caught-up")
    written = [e for e in service.events() if e.kind is EventKind.SENT and e.data["method"] == "canary.write"]
    assert len(written) == 2
    run(service)
    assert crossing.differences() == 0


def test_a_look_at_a_frozen_target_does_not_wait_for_the_canary_too(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "enable-peer")
    walk = service.execute("caught-up")
    for event in walk:
        if event.kind is EventKind.SENT:
            break
    walk.close()  # type: ignore[attr-defined]
    asked: list[str] = []

    def meddle(method: str, go: Callable[[], Json]) -> Json:
        asked.append(method)
        return go()

    crossing.wrap = lambda side, wire: Meddled(wire, meddle) if side is Side.TARGET else wire
    again = crossing.service()
    again.observe()
    assert "canary.read" in asked
    crossing.world.fault(Side.TARGET, "frozen")
    asked.clear()
    again.observe()
    assert "canary.read" not in asked
