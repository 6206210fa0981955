"""What people and crashes do between two steps: the configuration edited, objects replaced, an undo cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS, ORDERS
from hbase_ferry.cluster.simulator.instance import InstanceTable
from hbase_ferry.errors import Refused, StepFailed
from hbase_ferry.migration.bigtable.settings import BackfillEngine, BackfillSettings
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import JobPhase, JobState
from migration.embedded import Crossing, Meddled, bigtable_settings, run, undo
from migration.test_bigtable_crossing import BACKFILL, DRY, FINAL, PEER, VERIFY, assert_crossed, core_site
from migration.test_bigtable_guards import TABLE, instance_of, look_on, steps, target

SCOPE = f"scope:{CUSTOMERS}"


class Killed(BaseException):
    """As kill -9: nothing of ours handles it."""


def edited(crossing: Crossing, **changes: Any) -> MigrationService:
    """A new process, with another configuration. Keys of the target's own: `bigtable__<key>`."""
    own = {key.removeprefix("bigtable__"): changes.pop(key) for key in [*changes] if key.startswith("bigtable__")}
    if own:
        assert crossing.settings.target.bigtable is not None
        bigtable = dataclasses.replace(crossing.settings.target.bigtable, **own)
        changes["target"] = dataclasses.replace(crossing.settings.target, bigtable=bigtable)
    crossing.settings = dataclasses.replace(crossing.settings, **changes)
    return crossing.service()


def killed_after(crossing: Crossing, method: str, act: Callable[[MigrationService], object]) -> MigrationService:
    """A process that dies once that call reached the cluster, and the one after it."""

    def meddle(called: str, go: Callable[[], Json]) -> Json:
        answer = go()
        if called == method:
            raise Killed
        return answer

    crossing.wrap = lambda side, wire: Meddled(wire, meddle)
    with pytest.raises(Killed):
        act(crossing.service())
    crossing.wrap = lambda side, wire: wire
    service = crossing.service()
    service.observe()
    return service


def refused(service: MigrationService, step: str) -> str:
    with pytest.raises(Refused) as told:
        list(service.execute(step, service.preview(step).confirmation.expected))
    return str(told.value)


# ---- the configuration


def test_tables_in_another_order_or_other_tables_are_refused_once_something_was_sent(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(CUSTOMERS, ORDERS))
    service = crossing.service()
    run(service, "roll-wals")
    tables = crossing.settings.tables
    for others in (tables[::-1], tables[:1], (dataclasses.replace(tables[0], families=("d",)), tables[1])):
        service = edited(crossing, tables=others)
        told = refused(service, "add-peer")
        assert "It began with: customers; orders" in told and "another migration" in told
        assert not service.view.source.peer(PEER)
    service = edited(crossing, tables=tables)
    run(service, "add-peer")
    service = edited(crossing, tables=tables[::-1])
    list(service.remove_peer_now(PEER, PEER))
    assert not service.view.source.peer(PEER), "the red button asks for no configuration"


def test_tables_may_be_edited_while_nothing_was_sent_and_are_checked_anew(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(CUSTOMERS))
    run(crossing.service(), "preflight")
    service = edited(crossing, tables=bigtable_settings(ORDERS).tables)
    service.observe()
    assert steps(service)["preflight"] is StepState.READY
    run(service, f"table:{ORDERS}")


def test_a_peer_that_the_configuration_does_not_name_any_more_keeps_the_cutover_closed(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    run(crossing.service(), "caught-up")
    service = edited(crossing, peer_id="ferry_two")
    service.observe()
    with pytest.raises(Refused, match=f"peer {PEER} on prod-bj was added by this migration"):
        run(service, "add-peer")
    list(service.remove_peer_now(PEER, PEER))
    service.observe()
    assert not [gate for gate in service.preview("switch").gates if gate.name.startswith("peer.orphan")]


def test_a_dry_run_s_peer_is_not_forgotten_when_the_dry_run_is_switched_off(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(dry_run=True, dry_run_seconds=600.0))
    core_site(crossing)
    run(crossing.service(), "dry-run")
    service = edited(crossing, bigtable__dry_run=False)
    with pytest.raises(Refused, match=f"peer {DRY} on prod-bj was added by this migration"):
        run(service)


# ---- peers


def test_a_peer_added_by_a_process_that_died_is_not_taken_for_the_one_before_it(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "caught-up")
    list(service.remove_peer_now(PEER, PEER))
    look_on(service, 600)
    service.waive(f"stale.{CUSTOMERS}.1", "nothing is deleted")
    run(service, "roll-wals")
    service = killed_after(crossing, "peer.add", lambda one: run(one, "add-peer"))
    now = steps(service)
    assert (now["add-peer"], now[BACKFILL], now["enable-peer"]) == (
        StepState.RUNNING,
        StepState.LATER,
        StepState.LATER,
    )
    run(service, "add-peer")
    assert steps(service)[BACKFILL] is not StepState.DONE, "what was written meanwhile is in no backlog"


def test_a_peer_that_was_seen_to_be_gone_is_another_one_when_somebody_adds_it_again(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, BACKFILL)
    source = crossing.world.clusters[Side.SOURCE]
    peer = source.peers.pop(PEER)
    look_on(service, 60)
    source.peers[PEER] = peer
    look_on(service, 6)
    assert steps(service)["add-peer"] is not StepState.DONE and steps(service)["enable-peer"] is StepState.LATER
    assert "was not added by this migration" in refused(service, "add-peer")


def test_a_peer_that_shipped_for_a_moment_spoils_the_copy_for_good(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, SCOPE)
    events = service.execute(BACKFILL)
    while not any(proof.kind == "cursor.copy" for proof in service.view.proofs):
        next(events)
    events.close()  # type: ignore[attr-defined]
    peer = crossing.world.clusters[Side.SOURCE].peers[PEER]
    peer.enabled = True
    look_on(service, 6)
    peer.enabled = False
    look_on(service, 6)
    assert "was ENABLED while the history" in refused(service, BACKFILL)
    undo(service, (SCOPE, ""), ("add-peer", PEER), (TABLE, CUSTOMERS))
    run(service)
    assert_crossed(crossing, service)


def test_a_peer_removed_in_the_middle_of_the_copy_ends_it(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, SCOPE)
    events = service.execute(BACKFILL)
    next(events)
    crossing.world.clusters[Side.SOURCE].peers.pop(PEER)
    with pytest.raises(StepFailed, match=f"peer {PEER} is gone: nothing holds back"):
        list(events)


def test_a_scope_lowered_by_hand_after_the_copy_is_not_raised_again_for_this_peer(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, BACKFILL)
    source = crossing.world.clusters[Side.SOURCE]
    for scope in (0, 1):
        source.tables[CUSTOMERS].set_scopes({"d": scope, "m": scope})
        source.changes += 1
        look_on(service, 9)
    assert f"scope of {CUSTOMERS} was lowered while peer {PEER} was there" in refused(service, "enable-peer")


# ---- tables


def test_an_undo_that_was_killed_after_the_drop_does_not_own_the_table_that_comes_after_it(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    run(crossing.service(), TABLE)
    service = killed_after(crossing, "table.drop", lambda one: list(one.undo(TABLE, CUSTOMERS)))
    instance_of(crossing).tables[CUSTOMERS] = InstanceTable(CUSTOMERS, {})
    service.observe()
    assert not service.preview(TABLE).undo, "it is somebody else's"
    assert "this migration did not create it" in refused(service, TABLE)


def test_a_table_that_was_seen_to_be_gone_is_empty_when_it_is_there_again(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, FINAL)
    families = dict(target(crossing).families)
    del instance_of(crossing).tables[CUSTOMERS]
    service.observe()
    instance_of(crossing).tables[CUSTOMERS] = InstanceTable(CUSTOMERS, families)
    service.observe()
    assert steps(service)["switch"] is StepState.LATER
    refused(service, "switch")
    service.waive(f"target.foreign.{CUSTOMERS}.2", "it is empty and meant for us")
    run(service)
    assert_crossed(crossing, service)


# ---- jobs


def test_a_pipeline_of_an_earlier_attempt_keeps_everything_closed_that_it_would_spoil(tmp_path: Path) -> None:
    beam = BackfillSettings(engine=BackfillEngine.IMPORT, jar="/opt/beam.jar", export_dir="gs://b/h", region="r")
    crossing = Crossing(tmp_path, bigtable_settings(backfill=beam))
    service = crossing.service()
    run(service, SCOPE)
    started = f"{crossing.run_id}-import-1-1"

    def shown(**state: Any) -> dict[str, bool | None]:
        job = JobState(started, Side.SOURCE, **state) if state else None
        view = dataclasses.replace(service.observe(), started=frozenset([started]), jobs={started: job} if job else {})
        return {gate.name: gate.open for gate in service.plan.step(BACKFILL).gates(view) if "lost" in gate.name}

    service = edited(crossing, bigtable__backfill=BackfillSettings())
    assert shown() == {f"lost.{started}": None}, "unknown is not over"
    assert shown(phase=JobPhase.RUNNING) == {f"lost.{started}": False}
    assert shown(phase=JobPhase.DONE, exit_code=1) == {f"lost.{started}": False}, "it may go on in Dataflow"
    assert shown(phase=JobPhase.DONE, exit_code=0) == {}
    view = dataclasses.replace(service.view, started=frozenset([started]))
    for step in (BACKFILL, "enable-peer"):
        assert any(gate.name == f"lost.{started}" for gate in service.plan.step(step).gates(view)), step
    service = edited(crossing, bigtable__backfill=beam)
    assert shown(phase=JobPhase.RUNNING) == {}, "the present attempt"
    del instance_of(crossing).tables[CUSTOMERS]
    view = dataclasses.replace(service.observe(), started=frozenset([started]))
    assert [gate.name for gate in service.plan.step(TABLE).gates(view)] == [f"lost.{started}"], "it would fill the next"


# ---- the dry run and the writers


def test_a_dry_run_whose_peer_was_removed_counts_its_whole_time_again(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(dry_run=True, dry_run_seconds=600.0))
    core_site(crossing)
    service = crossing.service()
    run(service, "dry-run")
    look_on(service, 30)
    list(service.remove_peer_now(DRY, DRY))
    look_on(service, 900)
    begun = crossing.clock.now()
    run(service, "dry-run-count")
    assert crossing.clock.now() - begun >= 600


def test_counting_ends_when_the_dry_run_s_peer_is_gone(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(dry_run=True, dry_run_seconds=600.0))
    core_site(crossing)
    service = crossing.service()
    run(service, "dry-run")
    events = service.execute("dry-run-count")
    next(events)
    crossing.world.clusters[Side.SOURCE].peers.pop(DRY)
    with pytest.raises(StepFailed, match="is gone before its time was over: do step dry-run again"):
        list(events)


def test_writers_stopped_before_the_peer_was_disabled_are_to_be_stopped_again(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "stop-writers")
    list(service.undo("enable-peer"))
    crossing.world.start_writers(Side.SOURCE)
    look_on(service, 30)
    run(service, VERIFY)
    assert steps(service)["stop-writers"] is not StepState.DONE
    run(service)
    assert_crossed(crossing, service)


def test_a_gate_that_is_open_cannot_be_waived_for_later(tmp_path: Path) -> None:
    service = Crossing(tmp_path, bigtable_settings()).service()
    service.observe()
    with pytest.raises(Refused, match=r"gate disk\.free is open"):
        service.waive("disk.free", "for all time to come")
