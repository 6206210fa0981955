"""What the service refuses, and that a refusal sends nothing. Each names the harm it prevents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator.embedded import create_table
from hbase_ferry.errors import AgentError, FerryError, Refused, StepFailed, Unreachable
from hbase_ferry.migration.core import Risk, StepState
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.targets import build_plan
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.event import EventKind, Json
from hbase_ferry.model.view import JobPhase, View
from migration.embedded import ORDERS, Crossing, Meddled, run


def sent(service: MigrationService) -> list[str]:
    return [str(e.data["method"]) for e in service.events() if e.kind in (EventKind.INTENT, EventKind.SENT)]


def test_a_read_only_service_changes_nothing(tmp_path: Path) -> None:
    service = Crossing(tmp_path).service(acting=False)
    calls = (
        lambda: list(service.execute("preflight")),
        lambda: list(service.undo("add-peer")),
        lambda: list(service.remove_peer_now("dr_backup", "dr_backup")),
        lambda: service.waive("disk.free", "because"),
    )
    for call in calls:
        with pytest.raises(Refused, match="READ-ONLY"):
            call()
    assert service.events() == ()


def test_a_step_before_its_turn_is_refused_with_the_step_that_is_missing(tmp_path: Path) -> None:
    service = Crossing(tmp_path).service()
    with pytest.raises(Refused, match="step preflight comes before add-peer"):
        list(service.execute("add-peer"))
    assert sent(service) == []


def test_the_cutover_wants_the_migrations_name_letter_by_letter(tmp_path: Path) -> None:
    service = Crossing(tmp_path).service()
    run(service, f"verify:{ORDERS}")
    for typed in ("", "yes", "orders-to-emr", "ORDERS-TO-EMR6"):
        with pytest.raises(Refused, match="typing orders-to-emr6"):
            list(service.execute("stop-writers", typed))


def test_the_red_button_wants_the_peers_id_and_removes_only_that_peer(tmp_path: Path) -> None:
    service = Crossing(tmp_path).service()
    run(service, "add-peer")
    with pytest.raises(Refused, match="typing ferry_orders"):
        list(service.remove_peer_now("ferry_orders", "dr_backup"))
    list(service.remove_peer_now("ferry_orders", "ferry_orders"))
    peers = service.observe().source.peers.current or ()
    assert [peer.id for peer in peers] == ["dr_backup"]


def test_source_and_target_that_are_one_cluster_are_refused(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    crossing.world.clusters[Side.TARGET].cluster_id = crossing.world.clusters[Side.SOURCE].cluster_id
    service = crossing.service()
    with pytest.raises(Refused, match="are the same cluster"):
        list(service.execute("preflight"))
    assert sent(service) == []


def test_a_cluster_that_became_another_one_is_never_changed(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "namespaces")
    crossing.world.clusters[Side.SOURCE].cluster_id = "11111111-2222-3333-4444-555555555555"
    before = sent(service)
    with pytest.raises(FerryError, match="11111111-2222-3333-4444-555555555555"):
        list(service.execute("add-peer"))
    assert sent(service) == before


def test_a_table_that_was_on_the_target_before_is_never_restored_over(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, f"export:{ORDERS}")
    create_table(crossing.world, Side.TARGET, crossing.world.clusters[Side.SOURCE].tables[ORDERS])
    with pytest.raises(Refused, match="this migration did not restore it"):
        list(service.execute(f"restore:{ORDERS}"))
    assert "snapshot.restore" not in sent(service)


def test_a_foreign_peer_of_the_same_id_is_not_taken_over(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    crossing.settings = dataclasses.replace(crossing.settings, peer_id="dr_backup")
    service = crossing.service()
    with pytest.raises(Refused, match="dr_backup"):
        run(service, "add-peer")
    assert "peer.add" not in sent(service)


def test_a_peer_that_was_enabled_by_hand_keeps_the_history_from_travelling(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "hold-splits")
    cluster_id = crossing.world.clusters[Side.SOURCE].cluster_id
    crossing._wire(Side.SOURCE).call("peer.enable", {"id": "ferry_orders", "expect_cluster_id": cluster_id}, 60)
    with pytest.raises(Refused, match="add-peer comes before"):
        list(service.execute(f"snapshot:{ORDERS}"))
    list(service.execute("add-peer"))
    peer = service.observe().source.peer("ferry_orders")
    assert peer is not None and not peer.enabled


def test_an_unreachable_target_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "preflight")
    crossing.world.fault(Side.TARGET, "unreachable")
    with pytest.raises((Refused, Unreachable), match="emr6"):
        list(service.execute("namespaces"))
    assert sent(service) == []


def test_only_a_waivable_gate_is_waived_and_only_with_a_reason(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    crossing.gates(min_free_fraction=0.999)
    service = crossing.service()
    service.observe()
    with pytest.raises(Refused, match=r"cannot be waived; gates that can: .*disk\.free"):
        service.waive("peer.holding", "I know better")
    with pytest.raises(Refused, match="with a reason"):
        service.waive("disk.free", " ")
    service.waive("disk.free", "new disks arrive at noon")
    assert service.view.waivers == {"disk.free": "new disks arrive at noon"}


def test_a_second_service_sees_what_the_first_has_done(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    first = crossing.service()
    run(first, "queues")
    second = crossing.service(acting=False)
    states = {s.step.id: s.state for s in second.status(second.observe())}
    assert states["queues"] is StepState.DONE
    assert second.events() == first.events()


def test_a_plan_without_any_connection_names_every_command_and_what_it_lacks() -> None:
    settings = Crossing(Path("/nonexistent")).settings
    plan = build_plan(settings, "<run>")
    view = View(0.0, ClusterView(Side.SOURCE, "a"), ClusterView(Side.TARGET, "b"))
    texts = [effect.action.command for step in plan.steps for effect in step.effects(view)]
    assert any("add_peer 'ferry_orders'" in t and 'STATE => "DISABLED"' in t for t in texts)
    assert any("ExportSnapshot" in t and "<target hbase.rootdir>" in t for t in texts)
    assert any("SyncTable" in t and "--dryrun=true" in t for t in texts)
    assert all(step.why and step.title for step in plan.steps)
    assert all(step.done(view) is not True for step in plan.steps if step.effects(view))


def test_every_action_that_cannot_be_undone_asks_for_a_name(tmp_path: Path) -> None:
    plan = Crossing(tmp_path).service().plan
    for step in plan.steps:
        if step.risk in (Risk.CUTOVER, Risk.DESTRUCTIVE):
            assert step.confirm_name


def test_the_red_button_does_not_wait_for_the_step_that_runs(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "release-splits")
    export = service.execute(f"export:{ORDERS}")
    assert next(event for event in export if event.kind is EventKind.PROGRESS)
    list(crossing.service().remove_peer_now("ferry_orders", "ferry_orders"))
    export.close()
    assert service.observe().source.peer("ferry_orders") is None


def test_an_export_that_yarn_may_still_run_is_not_begun_again_unasked(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "release-splits")
    with pytest.raises(FerryError, match="gone"):
        for event in service.execute(f"export:{ORDERS}"):
            if event.kind is EventKind.PROGRESS and event.data["done"]:
                crossing.world.fault(Side.SOURCE, "client_dies", job="00c0de-export-1-1")
    begun = [job for job in sent(service) if job == "job.start"]
    with pytest.raises(Refused, match="yarn application -status application_"):
        list(service.execute(f"export:{ORDERS}"))
    assert [job for job in sent(service) if job == "job.start"] == begun
    crossing.clock.sleep(600)
    service.observe()
    service.waive("lost.00c0de-export-1-1", "the ResourceManager says FINISHED")
    list(service.execute(f"export:{ORDERS}"))


def test_a_job_of_which_the_edge_node_has_no_record_any_more_is_lost_and_not_begun_again_under_its_id(
    tmp_path: Path,
) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "release-splits")
    events = service.execute(f"export:{ORDERS}")
    for event in events:
        if event.kind is EventKind.PROGRESS and event.data["done"]:
            break
    events.close()  # type: ignore[attr-defined]
    name = "00c0de-export-1-1"
    crossing.world.jobs.forget(Side.SOURCE, name)
    service = crossing.service()
    found = service.observe().job(name)
    assert found is not None and found.phase is JobPhase.LOST
    status = next(each for each in service.status() if each.step.id == f"export:{ORDERS}")
    assert f"prod-bj has no record of {name}" in status.failure
    list(service.execute(f"export:{ORDERS}"))
    assert service.view.job("00c0de-export-1-2") is not None


def test_a_table_made_by_hand_after_a_refused_restore_is_not_taken_for_ours(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, f"export:{ORDERS}")

    def refuse(method: str, go: Callable[[], Json]) -> Json:
        if method == "snapshot.restore":
            raise AgentError("org.apache.hadoop.hbase.snapshot.RestoreSnapshotException", "no")
        return go()

    crossing.wrap = lambda _side, wire: Meddled(wire, refuse)
    with pytest.raises(StepFailed, match="refused restore_snapshot"):
        list(crossing.service().execute(f"restore:{ORDERS}"))
    create_table(crossing.world, Side.TARGET, crossing.world.clusters[Side.SOURCE].tables[ORDERS])
    states = {s.step.id: s.state for s in service.status(service.observe())}
    assert states[f"restore:{ORDERS}"] is StepState.BLOCKED


def test_nothing_is_shipped_into_a_table_whose_families_were_changed_meanwhile(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, f"hold-compaction:{ORDERS}")
    cluster_id = crossing.world.clusters[Side.TARGET].cluster_id
    params: dict[str, Json] = {"table": ORDERS, "families": ["m"], "expect_cluster_id": cluster_id}
    crossing._wire(Side.TARGET).call("table.delete_families", params, 60)
    with pytest.raises(Refused, match="families m of shop:orders on emr6 are not as on the source"):
        list(service.execute("enable-peer"))
    peer = service.observe().source.peer("ferry_orders")
    assert peer is not None and not peer.enabled
