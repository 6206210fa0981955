"""A whole crossing from the embedded cluster into the simulated instance: every cell arrives, whatever breaks off."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS, ORDERS, embedded_bigtable
from hbase_ferry.cluster.simulator.endpoint import BigtableEndpoint, class_of
from hbase_ferry.cluster.simulator.scanning import ordered
from hbase_ferry.cluster.wire import METHODS, Wire
from hbase_ferry.errors import FerryError, StepFailed, Unreachable
from hbase_ferry.migration.bigtable.backfill import FerryBackfill
from hbase_ferry.migration.bigtable.verify import CellVerify
from hbase_ferry.migration.compare.copying import CopyState
from hbase_ferry.migration.compare.pieces import CompareState
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import TableSettings
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind, Json
from migration.embedded import Crossing, Meddled, bigtable_settings, run

PEER, DRY = "ferry_orders", "ferry_orders_dry"
BACKFILL, VERIFY, FINAL = f"backfill:{CUSTOMERS}", f"verify:{CUSTOMERS}", f"final-verify:{CUSTOMERS}"


def assert_crossed(crossing: Crossing, service: MigrationService, tables: tuple[str, ...] = (CUSTOMERS,)) -> None:
    """Every cell is there, and nothing of the migration is left on either side."""
    view = service.observe()
    assert [s.state for s in service.status(view)] == [StepState.DONE] * len(service.plan.steps)
    source, instance = crossing.world.clusters[Side.SOURCE], crossing.world.instance
    assert instance is not None and set(instance.tables) == set(tables)
    for table in tables:
        assert crossing.differences(table) == 0
        assert len(instance.tables[table].rows) == live_rows(crossing, table) > 3_000
        found = view.source.table(table)
        assert found is not None and found.enabled and {family.scope for family in found.families} == {0}
    assert not {PEER, DRY} & source.peers.keys()
    assert not [one for one in source.sources if one.peer in (PEER, DRY)]
    assert not [s for s in view.source.snapshots.value or () if s.name.startswith("ferry-")]


def live_rows(crossing: Crossing, table: str = CUSTOMERS) -> int:
    """Rows with a live cell on the source, canary rows among them."""
    found = crossing.world.clusters[Side.SOURCE].tables[table]
    return sum(bool(found.rows.shown(row)) for _, row in ordered(found))


def copied(service: MigrationService) -> CopyState:
    """Where the copy of the history stands."""
    step = service.plan.step(BACKFILL)
    assert isinstance(step, FerryBackfill)
    return step.state(service.view)


def compared(service: MigrationService, step_id: str = FINAL) -> CompareState:
    """Where that comparison stands."""
    step = service.plan.step(step_id)
    assert isinstance(step, CellVerify)
    return step.state(service.view)


def intents(service: MigrationService) -> list[tuple[str, dict[str, Json]]]:
    """(method, parameters) of everything that was to be sent."""
    found = [e.data for e in service.events() if e.kind is EventKind.INTENT]
    return [(str(d["method"]), d["params"]) for d in found if isinstance(d["params"], dict)]


def core_site(crossing: Crossing) -> BigtableEndpoint:
    """The endpoint, whose keys are in core-site.xml from now on."""
    source = crossing.world.clusters[Side.SOURCE]
    endpoint = source.endpoints[class_of(source)]
    assert isinstance(endpoint, BigtableEndpoint)
    endpoint.core_site = True
    return endpoint


# ---- the whole of it


def test_every_cell_arrives_and_nothing_of_the_migration_stays_behind(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    stalls: list[str] = []
    for step in service.plan.steps:
        for _ in service.execute(step.id, service.preview(step.id).confirmation.expected):
            stalls += [f"{step.id}: {cause.name}" for cause in service.causes()]
    assert_crossed(crossing, service)
    done = [e.step for e in service.events() if e.kind is EventKind.STEP_DONE]
    assert done == [s.id for s in service.plan.steps]
    assert [e.number for e in service.events()] == list(range(1, len(service.events()) + 1))
    assert stalls == [], "a healthy crossing shows no cause of a stall"


def test_two_tables_share_a_peer_and_cross_in_lanes(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(CUSTOMERS, ORDERS))
    service = crossing.service()
    run(service)
    assert_crossed(crossing, service, (CUSTOMERS, ORDERS))
    added = [params for method, params in intents(service) if method == "peer.add"]
    assert [params["table_cfs"] for params in added] == [{CUSTOMERS: [], ORDERS: []}]


def test_one_family_alone_crosses(tmp_path: Path) -> None:
    settings = dataclasses.replace(bigtable_settings(), tables=(TableSettings(CUSTOMERS, ("d",)),))
    crossing = Crossing(tmp_path, settings)
    service = crossing.service()
    run(service)
    target = service.observe().target.table(CUSTOMERS)
    assert target is not None and [family.name for family in target.families] == ["d"]
    assert crossing.differences(CUSTOMERS) == 0
    assert crossing.world.clusters[Side.SOURCE].tables[CUSTOMERS].names == ("d", "m")


def test_a_source_of_line_1_gets_the_class_of_1_and_a_peer_that_is_disabled_at_once(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    crossing.world = embedded_bigtable(7, crossing.clock, source_version="1.4.14")
    service = crossing.service()
    view = service.observe()
    lines = [line.command for line in service.preview("add-peer", view).lines]
    assert len(lines) == 2 and "hbase1_x.replication" in lines[0] and "STATE" not in lines[0]
    assert lines[1] == f"disable_peer '{PEER}'"
    run(service)
    assert_crossed(crossing, service)
    sent = [(m, p) for m, p in intents(service) if m in ("peer.add", "peer.disable", "table.scope")]
    assert [m for m, _ in sent[:2]] == ["peer.add", "table.scope"], "1.x: the wire's own peer.add disables it"
    assert sent[0][1]["window_ok"] is True and "hbase1_x" in str(sent[0][1]["endpoint"])


def test_deletion_protection_stays_on_and_an_undo_takes_it_off_first(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(protect=True))
    instance = crossing.world.instance
    assert instance is not None
    service = crossing.service()
    run(service, f"table:{CUSTOMERS}")
    assert instance.tables[CUSTOMERS].protected
    preview = service.preview(f"table:{CUSTOMERS}", service.observe())
    assert [action.method for action in preview.undo] == ["table.protect", "table.drop"]
    list(service.undo(f"table:{CUSTOMERS}", preview.undo_confirmation.expected))
    assert CUSTOMERS not in instance.tables
    run(service)
    assert_crossed(crossing, service)
    assert instance.tables[CUSTOMERS].protected


# ---- the dry run


def dry(**more: object) -> dict[str, object]:
    return {"dry_run": True, "dry_run_seconds": 25.0, **more}


def test_a_dry_run_counts_sends_nothing_and_leaves_room_for_a_peer_of_another_id(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(**dry()))
    core_site(crossing)
    service = crossing.service()
    run(service, "dry-run-count")
    instance = crossing.world.instance
    assert instance is not None and not instance.tables[CUSTOMERS].rows, "a dry run sends nothing"
    proof = service.view.proof("dry-run", DRY)
    assert proof is not None and "turned into deletes of a whole family" in proof.basis["line.0"]
    run(service)
    assert_crossed(crossing, service)
    peers = [(m, p["id"]) for m, p in intents(service) if m.startswith("peer.")]
    order = [("peer.add", DRY), ("peer.enable", DRY), ("peer.remove", DRY), ("peer.add", PEER), ("peer.enable", PEER)]
    assert peers == [*order, ("peer.disable", PEER), ("peer.remove", PEER)]
    methods = [m for m, _ in intents(service)]
    assert methods.index("table.scope") < methods.index("peer.add"), "only writes with the scope are counted"


def test_a_dry_run_whose_keys_are_not_in_core_site_says_so_and_is_taken_back(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(**dry()))
    service = crossing.service()
    with pytest.raises(StepFailed, match="only in core-site"):
        run(service)
    states = {s.step.id: s for s in service.status(service.observe())}
    assert states["dry-run"].state is StepState.BLOCKED
    assert "Undo step dry-run" in states["dry-run"].failure and "or set dry_run: false" in states["dry-run"].failure
    list(service.undo("dry-run", service.preview("dry-run").undo_confirmation.expected))
    assert DRY not in crossing.world.clusters[Side.SOURCE].peers
    service.close()
    without = dataclasses.replace(crossing.settings.target, bigtable=bigtable_settings().target.bigtable)
    crossing.settings = dataclasses.replace(crossing.settings, target=without)
    service = crossing.service()
    run(service)
    assert_crossed(crossing, service)


def test_a_dry_run_counts_for_its_whole_time_once_its_keys_are_in_core_site(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(**dry()))
    service = crossing.service()
    with pytest.raises(StepFailed, match="only in core-site"):
        run(service)
    list(service.undo("dry-run"))
    core_site(crossing)
    run(service, "dry-run")
    begun = crossing.clock.now()
    run(service, "dry-run-count")
    assert crossing.clock.now() - begun >= 25
    run(service)
    assert_crossed(crossing, service)


# ---- interrupted


def leave_after(service: MigrationService, events: int) -> bool:
    """Takes the crossing up and drops it after that many journaled events. True: it came to its end before."""
    while (step := service.plan.next(service.observe())) is not None:
        walk = service.execute(step.id, service.preview(step.id).confirmation.expected)
        for event in walk:
            events -= event.kind is not EventKind.PROGRESS
            if events == 0:
                walk.close()  # type: ignore[attr-defined]
                return False
    return True


def quiet_copy(crossing: Crossing, event: Event) -> None:
    """The writers rest while the history is copied, so that its totals are known."""
    if event.step == BACKFILL and event.kind is EventKind.STEP_STARTED:
        crossing.world.stop_writers()
    elif event.step == "enable-peer" and event.kind is EventKind.STEP_STARTED:
        crossing.world.start_writers(Side.SOURCE)


def assert_totals(crossing: Crossing, service: MigrationService, history: int) -> None:
    """Nothing was skipped and nothing counted twice."""
    service.observe()
    copy, final = copied(service), compared(service)
    assert (copy.done, copy.rows, copy.skipped) == (True, history, 0)
    assert final.clean and (final.result.rows, final.result.equal) == (live_rows(crossing),) * 2


@pytest.mark.parametrize(("times", "most"), [(1, 7), (5, 8)])
def test_a_crossing_left_after_any_event_is_taken_up_and_ends_the_same(tmp_path: Path, times: int, most: int) -> None:
    """The generator is dropped after event k, as by kill -9; a new process on the same journal goes on."""
    crossing = Crossing(tmp_path, bigtable_settings())
    history: list[int] = []

    def follow(event: Event) -> None:
        quiet_copy(crossing, event)
        if event.step == BACKFILL and event.kind is EventKind.STEP_STARTED:
            history.append(live_rows(crossing))

    for k in itertools.count(1):
        service = crossing.service()
        service.subscribe(follow)
        if leave_after(service, 1 + k * times % most):
            break
        service.close()
    assert k > 15
    assert_crossed(crossing, service)
    assert len(set(history)) == 1
    assert_totals(crossing, service, history[0])
    answered = Counter(e.data["method"] for e in service.events() if e.kind is EventKind.SENT and "method" in e.data)
    assert {name: answered[name] for name in ONCE} == dict.fromkeys(ONCE, 1)


ONCE = ("peer.add", "table.create", "peer.remove")
BROKEN = frozenset(name for name, m in METHODS.items() if m.changes) | {"rows.scan", "canary.read", "servers.read"}


@pytest.mark.parametrize("arrived", [False, True], ids=["request lost", "answer lost"])
def test_every_change_and_piece_of_work_whose_call_breaks_once_happens_with_the_same_end(
    tmp_path: Path, arrived: bool
) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    reached: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    history: list[int] = []

    def wrap(side: Side, wire: Wire) -> Wire:
        def meddle(method: str, go: Callable[[], Json]) -> Json:
            name = f"{side.value} {method}"
            calls[name] += method in BROKEN
            breaks = calls[name] in (1, 4) and method in BROKEN
            if not breaks or arrived:
                reached[name] += 1
                answer = go()
            if breaks:
                raise Unreachable(f"{method}: the connection broke")
            return answer

        return Meddled(wire, meddle)

    def follow(event: Event) -> None:
        quiet_copy(crossing, event)
        if event.step == BACKFILL and event.kind is EventKind.STEP_STARTED:
            history.append(live_rows(crossing))

    crossing.wrap = wrap
    for _attempt in range(40):
        service = crossing.service()
        service.subscribe(follow)
        try:
            run(service)
            break
        except FerryError:
            service.close()
    assert_crossed(crossing, service)
    assert_totals(crossing, service, history[0])
    assert {"source wal.roll", "source rows.scan", "target rows.scan", "target rows.write"} <= calls.keys()
    once = ("source peer.add", "target table.create", "source peer.remove")
    assert {name: reached[name] for name in once} == dict.fromkeys(once, 1)


def test_a_copy_and_a_comparison_go_on_where_they_were_after_both_sides_were_away(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    for step in service.plan.steps:
        pieces = away = 0
        walk: Iterator[Event] = service.execute(step.id, service.preview(step.id).confirmation.expected)
        for event in walk:
            pieces += event.kind is EventKind.PROOF
            if pieces == 2 and not away and step.id in (BACKFILL, FINAL):
                away += 1
                for side in Side:
                    crossing.world.fault(side, "unreachable")
            elif away and event.kind is EventKind.PROGRESS:
                for side in Side:
                    crossing.world.heal(side, "unreachable")
    assert_crossed(crossing, service)
    assert compared(service).clean


def test_a_piece_whose_sides_stay_away_gives_up_and_is_taken_up_by_the_next_execution(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, f"scope:{CUSTOMERS}")
    with pytest.raises(Unreachable):
        for event in service.execute(BACKFILL):
            if event.kind is EventKind.PROOF:
                for side in Side:
                    crossing.world.fault(side, "unreachable")
    assert 0 < copied(service).rows < 4_000
    for side in Side:
        crossing.world.heal(side, "unreachable")
    run(service)
    assert_crossed(crossing, service)


def test_every_piece_that_writes_rows_has_its_intent_on_disk_before_the_first_row(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    reader = crossing.service(acting=False)
    open_intents: list[int] = []

    def wrap(side: Side, wire: Wire) -> Wire:
        def meddle(method: str, go: Callable[[], Json]) -> Json:
            if method in ("rows.write", "wal.roll"):
                events = reader.events()
                answered = {e.data.get("intent") for e in events if e.kind is EventKind.SENT}
                left = [e for e in events if e.kind is EventKind.INTENT and e.number not in answered]
                open_intents.append(len([e for e in left if e.data["method"] == "work"]))
            return go()

        return Meddled(wire, meddle)

    crossing.wrap = wrap
    run(crossing.service(), BACKFILL)
    assert len(open_intents) > 5 and set(open_intents) == {1}
