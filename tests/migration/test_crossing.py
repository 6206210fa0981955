"""A whole crossing on the embedded pair through the service: every row arrives, whatever is interrupted."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator.embedded import CUSTOMERS, demo_settings
from hbase_ferry.cluster.wire import METHODS, Wire
from hbase_ferry.errors import FerryError, Refused, StepFailed, Unreachable
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import TableSettings
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind, Json
from migration.embedded import ORDERS, Crossing, Meddled, run


def assert_crossed(crossing: Crossing, service: MigrationService, tables: tuple[str, ...] = (ORDERS,)) -> None:
    """Every row is there, and nothing of the migration is left on either cluster."""
    view = service.observe()
    assert [s.state for s in service.status(view)] == [StepState.DONE] * len(service.plan.steps)
    for table in tables:
        assert crossing.differences(table) == 0
    assert view.source.peer(crossing.settings.peer_id) is None
    for side in Side:
        assert not [s for s in view.side(side).snapshots.value or () if s.name.startswith("ferry-")]
    for table in tables:
        for side in Side:
            found = view.side(side).table(table)
            assert found is not None and found.enabled and found.major_compaction is None
            assert {family.scope for family in found.families} == {0}


def test_every_row_arrives_and_nothing_of_the_migration_stays_behind(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    events = run(service)
    assert_crossed(crossing, service)
    assert [e.step for e in events if e.kind is EventKind.STEP_DONE] == [s.id for s in service.plan.steps]
    assert [e.number for e in service.events()] == list(range(1, len(service.events()) + 1))


def test_two_tables_share_a_peer_and_cross_in_lanes(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, demo_settings(tables=(ORDERS, CUSTOMERS)))
    service = crossing.service()
    run(service)
    assert_crossed(crossing, service, (ORDERS, CUSTOMERS))


def test_one_family_alone_crosses(tmp_path: Path) -> None:
    settings = dataclasses.replace(demo_settings(), tables=(TableSettings(ORDERS, ("d",)),))
    crossing = Crossing(tmp_path, settings)
    service = crossing.service()
    run(service)
    target = service.observe().target.table(ORDERS)
    assert target is not None and [family.name for family in target.families] == ["d"]
    assert crossing.differences() == 0


def test_an_old_source_has_its_splits_held_and_given_back(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    sent = [e.data for e in run(service, "release-splits") if e.kind is EventKind.SENT]
    switches = [d["params"] for d in sent if d["method"] == "switch.split_merge"]
    assert switches == [{"split": False, "merge": False}, {"split": True, "merge": True}]


SENDING = sorted(name for name, method in METHODS.items() if method.changes)


def leave_after(service: MigrationService, events: int) -> bool:
    """Takes the crossing up and drops it after that many journaled events. True: it came to its end before."""
    while (step := service.plan.next(service.observe())) is not None:
        walk = service.execute(step.id, service.preview(step.id).confirmation.expected)
        for event in walk:
            events -= event.kind is not EventKind.PROGRESS
            if events == 0:
                walk.close()
                return False
    return True


def test_a_crossing_left_after_any_event_is_taken_up_and_ends_the_same(tmp_path: Path) -> None:
    """The generator is dropped after event k, as by kill -9; a new process on the same journal goes on."""
    crossing = Crossing(tmp_path)
    for k in itertools.count(1):
        service = crossing.service()
        if leave_after(service, 1 + k % 7):
            break
        service.close()
    assert k > 20
    assert_crossed(crossing, service)
    sent = Counter(
        str(e.data["params"])
        for e in service.events()
        if e.kind is EventKind.SENT
        and str(e.data["method"]) in ("snapshot.create", "snapshot.restore", "job.start", "peer.add")
    )
    assert set(sent.values()) == {1}


@pytest.mark.parametrize("arrived", [False, True], ids=["request lost", "answer lost"])
def test_every_change_whose_call_breaks_once_happens_exactly_once(tmp_path: Path, arrived: bool) -> None:
    crossing = Crossing(tmp_path)
    reached: Counter[str] = Counter()
    broken: set[str] = set()

    def meddle(method: str, go: Callable[[], Json]) -> Json:
        if not METHODS[method].changes:
            return go()
        if method not in broken:
            broken.add(method)
            if arrived:
                reached[method] += 1
                go()
            raise Unreachable(f"{method}: the connection broke")
        reached[method] += 1
        return go()

    def wrap(_side: Side, wire: Wire) -> Wire:
        return Meddled(wire, meddle)

    crossing.wrap = wrap
    for _attempt in range(40):
        service = crossing.service()
        try:
            run(service)
            break
        except FerryError:
            service.close()
    assert_crossed(crossing, service)
    assert broken >= {"peer.add", "snapshot.create", "snapshot.restore", "job.start", "table.scope"}
    once = ("peer.add", "snapshot.create", "snapshot.restore")
    assert {method: reached[method] for method in once} == dict.fromkeys(once, 1)


def test_a_failed_export_is_begun_again_under_a_new_name(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "release-splits")
    walk = service.execute(f"export:{ORDERS}")
    with pytest.raises(StepFailed, match="exit code 1"):
        for event in walk:
            if event.kind is EventKind.PROGRESS:
                crossing.world.jobs.fail(Side.SOURCE, "00c0de-export-1-1")
    run(service)
    assert_crossed(crossing, service)
    jobs = [e.data["params"] for e in service.events() if e.data.get("method") == "job.start"]
    exports = [j for j in jobs if isinstance(j, dict) and "export" in str(j["id"])]
    assert {str(j["id"]) for j in exports} == {"00c0de-export-1-1", "00c0de-export-1-2"}
    assert ["-overwrite" in str(j["argv"]) for j in exports][-1]


def test_after_the_red_button_the_old_snapshot_is_never_taken_for_history(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, f"export:{ORDERS}")
    list(service.remove_peer_now("ferry_orders", "ferry_orders"))
    crossing.clock.sleep(120)
    assert service.status(service.observe())[2].state is StepState.READY
    run(service)
    assert_crossed(crossing, service)
    taken = [
        e.data["params"] for e in service.events() if e.kind is EventKind.SENT and e.data["method"] == "snapshot.create"
    ]
    assert [t["name"] for t in taken if isinstance(t, dict)] == [
        "ferry-00c0de-shop_orders",
        "ferry-00c0de-shop_orders-g2",
    ]


def test_after_the_red_button_a_restored_table_has_to_go_first(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, f"restore:{ORDERS}")
    list(service.remove_peer_now("ferry_orders", "ferry_orders"))
    with pytest.raises(Refused, match="must not exist on emr6"):
        run(service)
    confirmation = service.preview(f"restore:{ORDERS}", service.observe()).undo_confirmation
    assert (confirmation.kind, confirmation.expected) == ("type", ORDERS)
    list(service.undo(f"restore:{ORDERS}", ORDERS))
    run(service)
    assert_crossed(crossing, service)


def test_a_write_after_the_drain_voids_its_proof(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "drained")
    crossing.world.start_writers(Side.SOURCE)
    crossing.clock.sleep(10)
    crossing.world.stop_writers()
    with pytest.raises(Refused, match="since the drain was proved"):
        list(service.execute(f"final-verify:{ORDERS}"))
    crossing.clock.sleep(10)
    run(service)
    assert_crossed(crossing, service)


def test_lost_rows_stop_the_crossing_before_the_switch(tmp_path: Path) -> None:
    """The peer is taken away and put back by hand behind our back: only the comparison can see what is lost."""
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "release-splits")
    peer = crossing.world.clusters[Side.SOURCE].peers
    held = service.observe().source.peer("ferry_orders")
    assert held is not None and peer
    wire = crossing._wire(Side.SOURCE)
    cluster_id = service.view.source.identity.value.cluster_id  # type: ignore[union-attr]
    crossing.clock.sleep(600)
    wire.call("peer.remove", {"id": "ferry_orders", "expect_cluster_id": cluster_id}, 60)
    crossing.clock.sleep(300)
    wire.call(
        "peer.add",
        {
            "id": "ferry_orders",
            "cluster_key": held.cluster_key,
            "table_cfs": {ORDERS: []},
            "bandwidth": 0,
            "serial": False,
            "window_ok": False,
            "expect_cluster_id": cluster_id,
        },
        60,
    )
    with pytest.raises(StepFailed, match="differ"):
        run(service)
    assert crossing.differences() > 0
    with pytest.raises(Refused, match="comes before switch"):
        list(service.execute("switch", service.settings.name))


def test_undo_of_every_step_leaves_both_clusters_as_they_were(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "caught-up")
    for step in reversed(service.plan.steps):
        preview = service.preview(step.id, service.observe())
        if preview.undo:
            list(service.undo(step.id, preview.undo_confirmation.expected))
    view = service.observe()
    assert view.source.peer("ferry_orders") is None
    assert view.target.table(ORDERS) is None
    source = view.source.table(ORDERS)
    assert source is not None and {f.scope for f in source.families} == {0}
    for side in Side:
        assert not [s for s in view.side(side).snapshots.value or () if s.name.startswith("ferry-")]


def test_an_undo_below_a_standing_step_is_refused(tmp_path: Path) -> None:
    service = Crossing(tmp_path).service()
    run(service, f"restore:{ORDERS}")
    with pytest.raises(Refused, match=f"undo restore:{ORDERS} first: it stands on add-peer"):
        list(service.undo("add-peer", "ferry_orders"))
