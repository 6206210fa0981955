"""Harm that a migration could do at its edges: each test names it, and that it does not come."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator.embedded import CUSTOMERS, create_table
from hbase_ferry.cluster.wire import Wire
from hbase_ferry.errors import Refused, StepFailed, Unreachable
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind, Json
from migration.embedded import ORDERS, Crossing, Meddled, run


def change(crossing: Crossing, side: Side, method: str, params: dict[str, Json]) -> None:
    """A change made by somebody else, straight on the wire."""
    cluster_id = crossing.world.clusters[side].cluster_id
    crossing._wire(side).call(method, {**params, "expect_cluster_id": cluster_id}, 60)


def answered(crossing: Crossing, on: Side, method: str, change: Callable[[Json], Json]) -> None:
    """From the next service on, `method` on that side answers what `change` makes of the real answer."""

    def wrap(side: Side, wire: Wire) -> Wire:
        def meddle(called: str, go: Callable[[], Json]) -> Json:
            return change(go()) if side is on and called == method else go()

        return Meddled(wire, meddle)

    crossing.wrap = wrap


def test_the_red_button_works_while_the_target_is_dead(tmp_path: Path) -> None:
    """A dead target is why the source's disk fills and somebody presses it."""
    crossing = Crossing(tmp_path)
    run(crossing.service(), "add-peer")
    crossing.world.fault(Side.TARGET, "unreachable")
    service = crossing.service()
    list(service.remove_peer_now("ferry_orders", "ferry_orders"))
    assert "ferry_orders" not in crossing.world.clusters[Side.SOURCE].peers


def test_the_red_button_still_refuses_a_source_that_became_another_cluster(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "add-peer")
    crossing.world.clusters[Side.SOURCE].cluster_id = "11111111-2222-3333-4444-555555555555"
    with pytest.raises(Refused):
        list(service.remove_peer_now("ferry_orders", "ferry_orders"))
    assert "ferry_orders" in crossing.world.clusters[Side.SOURCE].peers


def test_the_peer_is_disabled_again_while_the_target_is_dead(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, f"hold-compaction:{ORDERS}")
    list(service.execute("enable-peer"))
    crossing.world.fault(Side.TARGET, "unreachable")
    list(service.undo("enable-peer"))
    peer = service.observe().source.peer("ferry_orders")
    assert peer is not None and not peer.enabled


def test_the_table_that_clients_use_now_is_never_dropped_by_an_undo(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service)
    assert service.preview(f"restore:{ORDERS}", service.observe()).undo == ()
    with pytest.raises(Refused, match="nothing to undo"):
        list(service.undo(f"restore:{ORDERS}", ORDERS))
    assert ORDERS in crossing.world.clusters[Side.TARGET].tables


def test_a_table_that_somebody_made_after_our_undo_is_not_dropped_by_a_second_one(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, f"restore:{ORDERS}")
    list(service.undo(f"restore:{ORDERS}", ORDERS))
    create_table(crossing.world, Side.TARGET, crossing.world.clusters[Side.SOURCE].tables[ORDERS])
    with pytest.raises(Refused, match="nothing to undo"):
        list(service.undo(f"restore:{ORDERS}", ORDERS))


def test_switches_that_were_off_before_the_migration_stay_off(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    change(crossing, Side.SOURCE, "switch.split_merge", {"split": False, "merge": False})
    service = crossing.service()
    run(service, "release-splits")
    identity = service.observe().source.identity.current
    assert identity is not None and (identity.split_enabled, identity.merge_enabled) == (False, False)


def test_a_major_compaction_that_was_off_on_the_source_is_not_put_on_at_the_end(tmp_path: Path) -> None:
    """The snapshot carries the table's own setting: it was never ours."""
    crossing = Crossing(tmp_path)
    change(crossing, Side.SOURCE, "table.major_compaction", {"table": ORDERS, "value": "0"})
    service = crossing.service()
    run(service)
    target = service.observe().target.table(ORDERS)
    assert target is not None and target.major_compaction == "0"


def test_clients_are_not_switched_while_the_write_counters_cannot_be_seen(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    blind: list[bool] = []

    def unseen(answer: Json) -> Json:
        if blind:
            raise Unreachable("no region server answers")
        return answer

    answered(crossing, Side.SOURCE, "tables.writes", unseen)
    service = crossing.service()
    run(service, f"final-verify:{ORDERS}")
    blind.append(True)
    with pytest.raises(Refused, match="were not seen"):
        list(service.execute("switch", service.settings.name))
    assert not [e for e in service.events() if e.kind is EventKind.PROOF and e.data["kind"] == "switched"]


def test_a_canary_that_no_server_took_proves_nothing(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    answered(crossing, Side.SOURCE, "canary.write", lambda _: {"items": [], "total": 0})
    with pytest.raises(StepFailed, match="nothing is proved"):
        run(crossing.service(), "caught-up")


def test_a_source_that_shows_no_region_server_holds_no_queue(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    answered(crossing, Side.SOURCE, "cluster.identity", lambda a: {**a, "servers": []})  # type: ignore[dict-item]
    service = crossing.service()
    view = service.observe()
    assert service.plan.step("queues").proves(view) is None


def test_a_peer_with_an_endpoint_of_its_own_is_not_the_one_wanted(tmp_path: Path) -> None:
    """Its WALs would go wherever that class sends them."""
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "add-peer")

    def plugged(answer: Json) -> Json:
        assert isinstance(answer, dict) and isinstance(answer["items"], list)
        return {**answer, "items": [{**peer, "endpoint": "com.example.Elsewhere"} for peer in answer["items"]]}  # type: ignore[dict-item]

    answered(crossing, Side.SOURCE, "peers.list", plugged)
    service = crossing.service()
    assert service.plan.step("add-peer").done(service.observe()) is False


def test_a_snapshot_of_another_table_is_never_taken_for_this_one(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    change(crossing, Side.SOURCE, "snapshot.create", {"name": "ferry-00c0de-shop_orders", "table": CUSTOMERS})
    with pytest.raises(StepFailed, match="refused snapshot"):
        run(crossing.service(), f"snapshot:{ORDERS}")


def test_a_job_whose_list_is_not_seen_is_sent_once(tmp_path: Path) -> None:
    """The command line of a comparison under live writes holds the time: the job's id says what it is."""
    crossing = Crossing(tmp_path)
    dark = [3]

    def unseen(answer: Json) -> Json:
        if "live-hash" in str(answer) and dark[0]:
            dark[0] -= 1
            raise Unreachable("the edge node hangs")
        return answer

    answered(crossing, Side.SOURCE, "job.list", unseen)
    service = crossing.service()
    events = run(service, f"verify:{ORDERS}")
    intents = [e for e in events if e.kind is EventKind.INTENT and "live-hash" in str(e.data["params"])]
    assert dark == [0] and len([e for e in intents if e.data["method"] == "job.start"]) == 2  # hash, and sync's folder


def test_an_export_that_lost_its_wrapper_and_still_copies_is_waited_for(tmp_path: Path) -> None:
    """A second one beside it would write, with -overwrite, into the same files."""
    crossing = Crossing(tmp_path)
    seen: list[int] = []

    def orphaned(answer: Json) -> Json:
        assert isinstance(answer, dict) and isinstance(answer["items"], list)
        seen.append(1)
        lost = {"phase": "lost", "exit_code": None, "left": 1}
        return answer if len(seen) > 3 else {**answer, "items": [{**job, **lost} for job in answer["items"]]}  # type: ignore[dict-item]

    service = crossing.service()
    run(service, "release-splits")
    answered(crossing, Side.SOURCE, "job.list", orphaned)
    service = crossing.service()
    events = list(service.execute(f"export:{ORDERS}"))
    starts = [e for e in events if e.kind is EventKind.SENT and e.data["method"] == "job.start"]
    assert len(starts) == 1 and any("processes still run" in e.text for e in events)
    assert events[-1].kind is EventKind.STEP_DONE


def test_a_namespace_of_ours_is_taken_back_and_one_that_was_there_is_not(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    namespaces = crossing.world.clusters[Side.TARGET].namespaces
    service = crossing.service()
    run(service, "namespaces")
    assert "shop" in namespaces
    list(service.undo("namespaces"))
    assert "shop" not in namespaces
    change(crossing, Side.TARGET, "namespace.create", {"name": "shop"})
    assert service.preview("namespaces", service.observe()).undo == ()


def test_a_client_that_missed_the_switch_is_named_before_the_peer_is_disabled(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "switch")
    assert service.preview("disable-peer", service.observe()).gates == ()
    crossing.world.start_writers(Side.SOURCE)
    crossing.clock.sleep(10)
    (gate,) = service.preview("disable-peer", service.observe()).gates
    assert gate.warning and "still writes to prod-bj" in gate.text


def test_a_slow_look_of_a_poller_does_not_undo_what_a_later_one_saw(tmp_path: Path) -> None:
    """An old answer without the canary rows would pass for their deletion."""
    sight = Crossing(tmp_path).service().sight
    assert sight._newest("canary", 2)
    assert not sight._newest("canary", 1)
    assert sight._newest("canary", 3)


def test_a_comparison_ends_in_the_past_of_a_source_whose_clock_is_behind_ours(tmp_path: Path) -> None:
    """Else rows on their way are compared too, and a whole table looks different."""
    crossing = Crossing(tmp_path)
    behind = 3_600_000

    def late(answer: Json) -> Json:
        assert isinstance(answer, dict) and isinstance(answer["time_ms"], int)
        return {**answer, "time_ms": answer["time_ms"] - behind}

    answered(crossing, Side.SOURCE, "cluster.identity", late)
    service = crossing.service()
    view = service.observe()
    (command, *_) = (line.command for line in service.preview(f"verify:{ORDERS}", view).lines)
    ends = int(command.split("--endtime=")[1].split()[0])
    assert ends <= view.at * 1000 - behind - service.settings.gates.max_lag_ms


def test_a_canary_row_whose_answer_was_lost_is_taken_away_although_its_region_moved(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    lost: list[str] = []

    def cut(answer: Json) -> Json:
        if not lost:
            assert isinstance(answer, dict) and isinstance(answer["items"], list)
            lost.extend(str(row["row_hex"]) for row in answer["items"] if isinstance(row, dict))
            raise Unreachable("the connection broke")
        return answer

    answered(crossing, Side.SOURCE, "canary.write", cut)
    with pytest.raises(StepFailed, match="canary"):
        run(crossing.service(), "caught-up")
    table = crossing.world.clusters[Side.SOURCE].tables[ORDERS]
    moved = next(r for r in table.regions if (r.start_key + b"\x00hbase-ferry-canary-").hex() in lost[1])
    moved.server = table.regions[0].server
    run(crossing.service())
    for side in Side:
        seen = crossing._wire(side).call("canary.read", {"table": ORDERS, "rows": list(lost)}, 60)
        assert isinstance(seen, dict) and '"present": true' not in json.dumps(seen)


def test_checks_that_lacked_a_listing_are_not_taken_for_passed(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)

    def unseen(_: Json) -> Json:
        raise Unreachable("the master does not answer")

    answered(crossing, Side.TARGET, "tables.list", unseen)
    service = crossing.service()
    with pytest.raises(Refused, match="the tables of emr6 were not seen"):
        list(service.execute("preflight"))
    assert service.observe().proof("preflight", "migration") is None
