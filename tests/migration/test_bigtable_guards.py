"""What a crossing into an instance refuses, says of losses, differences and stalls, and how it is taken back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator.cluster import Pages
from hbase_ferry.cluster.simulator.embedded_bigtable import BIGTABLE, CUSTOMERS, embedded_bigtable
from hbase_ferry.cluster.simulator.endpoint import INSTANCE, BigtableEndpoint, Strange, class_of
from hbase_ferry.cluster.simulator.instance import InstanceTable, SimInstance
from hbase_ferry.cluster.simulator.rows import QUALIFIER
from hbase_ferry.errors import FerryError, Refused, StepFailed
from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.ledger import Loss
from hbase_ferry.migration.bigtable.losses import losses
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.bigtable.settings import BackfillEngine, BackfillSettings, CompareEngine, CompareSettings
from hbase_ferry.migration.compare.repair import Repair
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.sampling import Fault
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import TableSettings
from hbase_ferry.model.bigtable.retention import MaxVersions
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from migration.embedded import Crossing, Meddled, bigtable_settings, run, undo
from migration.test_bigtable_crossing import (
    BACKFILL,
    FINAL,
    PEER,
    VERIFY,
    assert_crossed,
    compared,
    copied,
    core_site,
    dry,
    intents,
)

TABLE = f"table:{CUSTOMERS}"


def instance_of(crossing: Crossing) -> SimInstance:
    found = crossing.world.instance
    assert found is not None
    return found


def target(crossing: Crossing) -> InstanceTable:
    """The target's table, to be meddled with."""
    return instance_of(crossing).tables[CUSTOMERS]


def endpoint(crossing: Crossing) -> BigtableEndpoint:
    source = crossing.world.clusters[Side.SOURCE]
    found = source.endpoints[class_of(source)]
    assert isinstance(found, BigtableEndpoint)
    return found


def own_pages(crossing: Crossing, **settings: str) -> Pages:
    """What the second server runs with from now on: as the others, but for these settings."""
    source = crossing.world.clusters[Side.SOURCE]
    named = {key.replace(".", "_"): key for key in (*library.SERVER_SETTINGS, library.BULK_LOADS)}
    pages = Pages({**source.pages.settings, **{named[k]: v for k, v in settings.items()}}, [*source.pages.jars])
    source.own_pages[source.servers[1].host] = pages
    return pages


def look_on(service: MigrationService, seconds: float) -> None:
    """Looks as a poller does, every three seconds."""
    for _ in range(round(seconds / 3)):
        service.clock.sleep(3.0)
        service.observe()


def stalls(service: MigrationService) -> set[str]:
    return {cause.name for cause in service.causes()}


def steps(service: MigrationService) -> dict[str, StepState]:
    return {status.step.id: status.state for status in service.status(service.observe())}


def known_losses(crossing: Crossing, service: MigrationService) -> dict[str, Loss]:
    """The ledger as of a fresh look, by kind."""
    ctx = BigtableContext(crossing.settings, service.run_id, service.clock)
    return {loss.kind: loss for loss in losses(ctx, service.observe())}


def acceptance(service: MigrationService, step_id: str, found: int) -> str:
    """The gate that accepts so many differences of that comparison."""
    gates = service.preview(step_id, service.observe()).gates
    (name,) = (g.name for g in gates if g.name.startswith(f"different.{CUSTOMERS}.") and g.value == str(found))
    return name


# ---- gates


def test_a_table_that_was_there_before_is_taken_only_when_somebody_accepts_it(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    rules = {"d": MaxVersions(1), "m": MaxVersions(1)}
    instance_of(crossing).tables[CUSTOMERS] = InstanceTable(CUSTOMERS, rules)
    service = crossing.service()
    with pytest.raises(Refused, match="this migration did not create it"):
        run(service)
    assert intents(service) == []
    service.waive(f"target.foreign.{CUSTOMERS}", "made by the schema translator this morning")
    run(service, VERIFY)
    assert service.preview(TABLE, service.observe()).undo == (), "what we did not make is not dropped"
    look_on(service, 12)
    run(service)
    assert_crossed(crossing, service)
    assert "table.create" not in [method for method, _ in intents(service)]


def test_a_family_that_went_missing_keeps_the_peer_disabled(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, BACKFILL)
    rule = target(crossing).families.pop("m")
    with pytest.raises(FerryError, match=f"{TABLE} comes before enable-peer"):
        list(service.execute("enable-peer"))
    peer = service.observe().source.peer(PEER)
    assert peer is not None and not peer.enabled
    target(crossing).families["m"] = rule
    run(service)
    assert_crossed(crossing, service)


def test_another_retention_is_seen_before_the_peer_is_enabled(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, BACKFILL)
    target(crossing).families["m"] = MaxVersions(9)
    with pytest.raises(Refused, match=f"{TABLE} comes before enable-peer"):
        list(service.execute("enable-peer"))
    list(service.execute(TABLE))
    assert target(crossing).families["m"] == MaxVersions(1)
    list(service.execute("enable-peer"))


def _abort(crossing: Crossing) -> None:
    crossing.world.clusters[Side.SOURCE].pages.settings[library.ABORT] = "false"


def _bulk_loads(crossing: Crossing) -> None:
    crossing.world.clusters[Side.SOURCE].pages.settings[library.BULK_LOADS] = "true"


def _library(crossing: Crossing) -> None:
    own_pages(crossing).jars.clear()


def _keys(crossing: Crossing) -> None:
    own_pages(crossing).settings[INSTANCE] = "another-instance"


def _key_file(crossing: Crossing) -> None:
    own_pages(crossing).settings.pop(library.KEY_FILE)


def _host(crossing: Crossing) -> None:
    own_pages(crossing).settings[library.ENDPOINT_HOST] = "bt.corp"


def _routing(crossing: Crossing) -> None:
    crossing.world.fault(Side.TARGET, "routing", profile=BIGTABLE.app_profile)


def _permission(crossing: Crossing) -> None:
    crossing.world.fault(Side.TARGET, "permission", names=("bigtable.tables.mutateRows",))


def _namespace(crossing: Crossing) -> None:
    crossing.settings = dataclasses.replace(crossing.settings, tables=(TableSettings("audit:log"),))


def _line(crossing: Crossing) -> None:
    crossing.world = embedded_bigtable(7, crossing.clock, source_version="2.4.4")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_abort, r"replication\.source\.regionserver\.abort is false"),
        (_bulk_loads, r"hbase\.replication\.bulkload\.enabled is true"),
        (_library, r"rs2\.prod-bj.*no replication library bigtable-hbase"),
        (_keys, r"rs2\.prod-bj.*instance\.id is another-instance and should be shop-bigtable"),
        (_key_file, r"rs2\.prod-bj.*google\.bigtable\.auth\.json\.keyfile is not set, and .* credentials"),
        (_host, r"rs2\.prod-bj.*endpoint\.host is bt\.corp, which is not the service"),
        (_routing, "app profile ferry routes to several clusters"),
        (_permission, r"lacks on bt-prod: bigtable\.tables\.mutateRows"),
        (_namespace, "1 table in a namespace, which Bigtable and the library do not have: audit:log"),
        (_line, r"HBase 2\.4\.4 refuses every peer with this endpoint as a loop"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(
    tmp_path: Path, harm: Callable[[Crossing], None], says: str
) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    harm(crossing)
    service = crossing.service()
    with pytest.raises(Refused, match=says):
        run(service)
    assert intents(service) == [] and service.observe().proof("preflight", "migration") is None


@pytest.mark.parametrize(
    ("harm", "cause"),
    [(lambda pages: pages.settings.pop(INSTANCE), "site keys missing"), (lambda p: p.jars.clear(), "library missing")],
    ids=["keys", "library"],
)
def test_an_endpoint_that_does_not_start_on_one_server_keeps_the_history_back_until_it_does(
    tmp_path: Path, harm: Callable[[Pages], object], cause: str
) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "roll-wals")

    def meddle(method: str, go: Callable[[], Json]) -> Json:
        if method == "peer.add":
            harm(own_pages(crossing))
        return go()

    crossing.wrap = lambda _side, wire: Meddled(wire, meddle)
    service = crossing.service()
    with pytest.raises(StepFailed, match=r"does not run on 1 region server, rs2\.prod-bj.* undo step add-peer"):
        run(service)
    assert steps(service)["queues"] is StepState.BLOCKED
    assert {"endpoint not started", cause} <= stalls(service)
    assert not target(crossing).rows
    crossing.world.clusters[Side.SOURCE].own_pages.clear()
    look_on(service, 15)
    assert stalls(service) == set()
    run(service)
    assert_crossed(crossing, service)


@pytest.mark.parametrize("key", [INSTANCE, library.KEY_FILE])
def test_a_server_that_lost_its_keys_after_the_checks_keeps_the_peer_from_being_added(tmp_path: Path, key: str) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "roll-wals")
    own_pages(crossing).settings.pop(key)
    with pytest.raises(Refused, match=rf"rs2\.prod-bj.*{re.escape(key)} is not set"):
        list(service.execute("add-peer"))
    assert PEER not in crossing.world.clusters[Side.SOURCE].peers


# ---- losses


def lose(crossing: Crossing, service: MigrationService, strange: Strange, *rows: int) -> None:
    """Writes of that kind by an application; the servers' pages show them some seconds later."""
    for row in rows:
        endpoint(crossing).write(crossing.world.clusters[Side.SOURCE], CUSTOMERS, row, strange)
    look_on(service, 30)


def test_losses_close_the_cutover_until_that_many_are_accepted_with_a_reason(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, VERIFY)
    lose(crossing, service, Strange.FAMILY_VERSION, 11)
    lose(crossing, service, Strange.OVERFLOW, 1012)
    found = known_losses(crossing, service)
    assert {"dropped", "timestamp-overflow", "converted"} <= found.keys()
    assert (found["dropped"].count, found["timestamp-overflow"].count) == (2, 2), "two families each"
    with pytest.raises(Refused, match=r"dropped: the two sides differ there.*accept loss\.dropped\.2 with a reason"):
        run(service)
    with pytest.raises(Refused, match="with a reason"):
        service.waive("loss.dropped.2", "")
    service.waive("loss.dropped.2", "the auditors deleted one version by hand")
    with pytest.raises(Refused, match=r"accept loss\.timestamp-overflow\.2"):
        run(service)
    service.waive("loss.timestamp-overflow.2", "one version is enough")
    run(service, "stop-writers")
    lose(crossing, service, Strange.OLD_FAMILY, 2013)
    assert known_losses(crossing, service)["dropped"].count == 4
    run(service, "drained")
    with pytest.raises(StepFailed, match=rf"accept gate different\.{CUSTOMERS}.*\.3 with a reason"):
        list(service.execute(FINAL))
    service.waive(acceptance(service, FINAL, 3), "the three rows of the ledger")
    with pytest.raises(Refused, match=r"accept loss\.dropped\.4 with a reason"):
        run(service)
    assert service.observe().proof("switched", "migration") is None
    service.waive("loss.dropped.4", "the auditors again")
    run(service)
    assert crossing.differences(CUSTOMERS) == 3


def test_deletes_that_were_converted_and_puts_of_tomorrow_close_nothing(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, VERIFY)
    lose(crossing, service, Strange.FUTURE, 11)
    found = known_losses(crossing, service)
    assert found.keys() == {"converted", "future-puts"} and found["converted"].count > 5
    gates = service.preview("stop-writers").gates
    assert {gate.name for gate in gates} == {loss.gate for loss in found.values()}
    assert all(gate.warning for gate in gates)
    run(service, "stop-writers")


def test_what_was_lost_stays_on_record_when_its_server_restarts_and_this_process_too(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, VERIFY)
    table, source = crossing.world.clusters[Side.SOURCE].tables[CUSTOMERS], crossing.world.clusters[Side.SOURCE]
    lose(crossing, service, Strange.FAMILY_VERSION, 11, 1011, 2011)
    assert known_losses(crossing, service)["dropped"].count == 6
    held = table.region_of(11).server
    crossing.world.fault(Side.SOURCE, "server_dies", server=held)
    look_on(service, 30)
    assert known_losses(crossing, service)["dropped"].count == 6
    before = source.servers[held].name
    crossing.world.fault(Side.SOURCE, "server_joins", server=held)
    look_on(service, 30)
    assert source.servers[held].name != before, "another start code"
    service.close()
    service = crossing.service()
    after = known_losses(crossing, service)["dropped"]
    assert (after.count, after.at_least) == (6, True) and after.text.startswith("at least 6 mutations")
    crossing.world.fault(Side.SOURCE, "region_moves", table=CUSTOMERS, region=0, to=held)
    lose(crossing, service, Strange.FAMILY_VERSION, 12)
    assert known_losses(crossing, service)["dropped"].count == 8


# ---- the comparison


def plant(crossing: Crossing) -> None:
    """One row of each class that differs, at the beginning of regions and where no writer goes."""
    there = target(crossing)
    there.delete(b"00000001", "d")
    there.put(b"00000002x", "d", QUALIFIER, 1_750_000_000_000_000, b"nobody wrote this")
    time = next(iter(there.rows[b"00001003"]["d", QUALIFIER]))
    there.put(b"00001003", "d", QUALIFIER, time, b"other bytes")
    value = there.rows[b"00002004"]["m", QUALIFIER].popitem()[1]
    there.put(b"00002004", "m", QUALIFIER, 1_750_000_000_000_000, value)


def mend(crossing: Crossing, service: MigrationService) -> None:
    """As the report says: what is only on the target deleted there, then the source's rows written again."""
    there = target(crossing)
    there.delete(b"00000002x", "d")
    there.delete(b"00002004", "m")
    repair = Repair(CUSTOMERS)
    for key in (b"00000001", b"00001003", b"00002004"):
        repair.row(service._clusters, key.hex())  # type: ignore[arg-type]


def test_planted_differences_stop_the_comparison_until_they_are_mended(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "caught-up")
    plant(crossing)
    with pytest.raises(StepFailed, match=rf"4 different.*accept gate different\.{CUSTOMERS}.*\.4 with"):
        list(service.execute(VERIFY))
    found = compared(service, VERIFY).result
    assert {fault.value: number for fault, number in found.faults.items()} == {
        "missing": 1, "extra": 1, "value": 1, "timestamp": 1,
    }  # fmt: skip
    assert {bytes.fromhex(e.key) for e in found.examples} == {b"00000001", b"00000002x", b"00001003", b"00002004"}
    assert steps(service)[VERIFY] is StepState.BLOCKED
    with pytest.raises(StepFailed, match="4 different"):
        list(service.execute(VERIFY))
    mend(crossing, service)
    run(service)
    assert_crossed(crossing, service)
    retries = [e.data["subject"] for e in service.events() if e.data.get("kind") == "retry"]
    assert len(retries) == 2 and len(set(retries)) == 1, "each look after the first is a new attempt"


def test_only_the_number_of_differences_that_was_accepted_is_let_through(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "drained")
    plant(crossing)
    with pytest.raises(StepFailed, match="4 different"):
        list(service.execute(FINAL))
    accepted = acceptance(service, FINAL, 4)
    with pytest.raises(Refused, match=f"cannot be waived; gates that can: .*{re.escape(accepted)}"):
        service.waive(accepted.removesuffix("4") + "3", "three are well known")
    service.waive(accepted, "four rows of a test customer")
    assert steps(service)[FINAL] is StepState.DONE
    target(crossing).delete(b"00003005", "d")
    crossing.world.start_writers(Side.SOURCE)
    crossing.clock.sleep(10)
    crossing.world.stop_writers()
    look_on(service, 15)
    run(service, "drained")
    with pytest.raises(StepFailed, match=rf"5 different.*different\.{CUSTOMERS}.*\.5 with"):
        list(service.execute(FINAL))


def test_a_write_after_the_drain_asks_for_a_new_drain_and_a_new_final_comparison(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, FINAL)
    first = compared(service)
    crossing.world.start_writers(Side.SOURCE)
    crossing.clock.sleep(10)
    crossing.world.stop_writers()
    with pytest.raises(Refused, match="since the drain was proved"):
        list(service.execute("switch", service.settings.name))
    look_on(service, 15)
    run(service, "drained")
    assert steps(service)[FINAL] is not StepState.DONE
    target(crossing).delete(b"00003005", "d")
    with pytest.raises(StepFailed, match="1 different"):
        list(service.execute(FINAL))
    Repair(CUSTOMERS).row(service._clusters, b"00003005".hex())  # type: ignore[arg-type]
    run(service)
    assert_crossed(crossing, service)
    assert first.clean and compared(service).result.rows != first.result.rows


# ---- back


UNDONE = {
    "plain": ["enable-peer", f"scope:{CUSTOMERS}", "add-peer", TABLE],
    "dry_run": ["enable-peer", "add-peer", f"scope:{CUSTOMERS}", TABLE],
    "importsnapshot": [f"snapshot:{CUSTOMERS}", f"scope:{CUSTOMERS}", "add-peer", TABLE],
    "both": [f"snapshot:{CUSTOMERS}", "add-peer", f"scope:{CUSTOMERS}", TABLE],
}
"""Kind of plan -> its steps that have an undo, newest first; docs/bigtable-stalls.md, "Starting again"."""


@pytest.mark.parametrize("kind", UNDONE)
def test_undo_of_every_step_leaves_both_sides_as_they_were_and_the_crossing_can_begin_anew(
    kind: str, tmp_path: Path
) -> None:
    """With importsnapshot up to its pipeline, which the embedded edge node has no Java for."""
    snapshot = kind in ("importsnapshot", "both")
    own = {**(dry() if kind in ("dry_run", "both") else {}),
           **(pipelines(BackfillEngine.IMPORTSNAPSHOT) if snapshot else {})}  # fmt: skip
    crossing = Crossing(tmp_path, bigtable_settings(**own))
    core_site(crossing)
    service = crossing.service()
    run(service, "release-splits" if snapshot else VERIFY)
    undone = []
    for step in reversed(service.plan.steps):
        preview = service.preview(step.id, service.observe())
        if preview.undo:
            undone.append(step.id)
            list(service.undo(step.id, preview.undo_confirmation.expected))
    assert undone == UNDONE[kind]
    view = service.observe()
    assert view.source.peer(PEER) is None and instance_of(crossing).tables == {}
    assert not [s for s in view.source.snapshots.value or () if s.name.startswith("ferry-")]
    source = view.source.table(CUSTOMERS)
    assert source is not None and {family.scope for family in source.families} == {0}
    assert steps(service)[BACKFILL] is StepState.LATER
    run(service, "release-splits" if snapshot else "")
    assert steps(service)[BACKFILL] is StepState.READY if snapshot else not assert_crossed(crossing, service)


def test_an_undo_below_a_standing_step_is_refused(tmp_path: Path) -> None:
    service = Crossing(tmp_path, bigtable_settings()).service()
    run(service, BACKFILL)
    with pytest.raises(Refused, match=f"undo scope:{CUSTOMERS} first: it stands on {TABLE}"):
        list(service.undo(TABLE, CUSTOMERS))
    with pytest.raises(Refused, match=f"typing {PEER}"):
        list(service.undo(f"scope:{CUSTOMERS}"))
        list(service.undo("add-peer"))


def test_a_scope_that_was_lowered_under_a_peer_is_not_raised_again_for_it(tmp_path: Path) -> None:
    """What is written meanwhile is held for nobody: neither the copy nor the peer would bring it."""
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, BACKFILL)
    list(service.undo(f"scope:{CUSTOMERS}"))
    crossing.clock.sleep(30)
    with pytest.raises(Refused, match=f"scope of {CUSTOMERS} was lowered while peer {PEER} was there"):
        run(service)
    undo(service, ("add-peer", PEER), (TABLE, CUSTOMERS))
    run(service)
    assert_crossed(crossing, service)


def test_wals_are_rolled_again_after_a_scope_was_lowered(tmp_path: Path) -> None:
    """A put with the scope and its delete without it in one WAL: a new peer would ship the put alone."""
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, f"scope:{CUSTOMERS}")
    list(service.remove_peer_now(PEER, PEER))
    run(service, "roll-wals")
    crossing.clock.sleep(20)
    list(service.undo(f"scope:{CUSTOMERS}"))
    crossing.clock.sleep(60)
    assert steps(service)["roll-wals"] is StepState.READY
    run(service)
    assert_crossed(crossing, service)


def test_a_table_that_was_dropped_behind_our_back_gets_its_history_again(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, BACKFILL)
    del instance_of(crossing).tables[CUSTOMERS]
    assert steps(service)["enable-peer"] is StepState.LATER
    run(service)
    assert_crossed(crossing, service)
    copies = [e for e in service.events() if e.data.get("kind") == "backfilled"]
    assert len(copies) == 2


def test_the_red_button_in_the_middle_of_a_stall_and_a_new_peer_with_its_own_history(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    crossing.gates(canary_timeout_seconds=60.0)
    service = crossing.service()
    run(service, "enable-peer")
    lost = target(crossing).families.popitem()
    look_on(service, 30)
    assert "family missing" in stalls(service)
    list(service.remove_peer_now(PEER, PEER))
    assert PEER not in crossing.world.clusters[Side.SOURCE].peers
    target(crossing).families[lost[0]] = lost[1]
    crossing.clock.sleep(60)
    look_on(service, 3)
    assert stalls(service) == set()
    assert steps(service)["roll-wals"] is StepState.READY, "a new peer wants fresh WALs again"
    with pytest.raises(Refused, match=f"holds rows of an earlier copy.* Undo step {TABLE}"):
        run(service)
    undo(service, (f"scope:{CUSTOMERS}", ""), (TABLE, CUSTOMERS))
    run(service, "add-peer")
    assert steps(service)[BACKFILL] is not StepState.DONE, "what was written meanwhile is in no WAL that a peer holds"
    run(service)
    assert_crossed(crossing, service)


def test_writers_stopped_for_a_peer_that_is_gone_are_to_be_stopped_again(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "stop-writers")
    list(service.remove_peer_now(PEER, PEER))
    crossing.world.start_writers(Side.SOURCE)
    crossing.clock.sleep(60)
    service.observe()
    undo(service, (f"scope:{CUSTOMERS}", ""), (TABLE, CUSTOMERS))
    run(service, VERIFY)
    assert steps(service)["stop-writers"] is not StepState.DONE
    with pytest.raises(Refused, match="stop-writers"):
        list(service.execute("drained", service.preview("drained").confirmation.expected))
    run(service)
    assert_crossed(crossing, service)


def test_a_new_peer_over_the_rows_of_an_earlier_copy_is_a_risk_that_somebody_takes(tmp_path: Path) -> None:
    """Deletes made while no peer was there are seen by the comparison alone."""
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, BACKFILL)
    list(service.remove_peer_now(PEER, PEER))
    crossing.clock.sleep(60)
    service.observe()
    service.waive(f"stale.{CUSTOMERS}.1", "this application deletes nothing")
    run(service, "caught-up")
    assert copied(service).rows > 3_000, "copied again, for the new peer"
    with pytest.raises(StepFailed, match="different"):
        run(service)
    assert set(compared(service, VERIFY).result.faults) == {Fault.EXTRA}


# ---- stalls


def _without_table(crossing: Crossing) -> Callable[[], None]:
    there = instance_of(crossing).tables
    kept = there.pop(CUSTOMERS)
    return lambda: there.update({CUSTOMERS: kept})


def _without_family(crossing: Crossing) -> Callable[[], None]:
    there = target(crossing).families
    kept = there.pop("d")
    return lambda: there.update({"d": kept})


def _away(kind: str) -> Callable[[Crossing], Callable[[], None]]:
    def harm(crossing: Crossing) -> Callable[[], None]:
        crossing.world.fault(Side.TARGET, kind)
        return lambda: crossing.world.heal(Side.TARGET, kind)

    return harm


@pytest.mark.parametrize(
    ("harm", "cause", "seconds"),
    [
        (_without_table, "table missing", 30),
        (_without_family, "family missing", 30),
        (_away("frozen"), "target unreachable", 9),
        (_away("refused"), "target unreachable", 30),
        (_away("network"), "target hung", 150),
    ],
)
def test_a_stall_is_named_while_it_lasts_and_gone_once_it_is_healed(
    tmp_path: Path, harm: Callable[[Crossing], Callable[[], None]], cause: str, seconds: float
) -> None:
    crossing = Crossing(tmp_path, bigtable_settings())
    service = crossing.service()
    run(service, "caught-up")
    heal = harm(crossing)
    look_on(service, seconds)
    assert cause in stalls(service), service.causes()
    heal()
    look_on(service, 60)
    assert stalls(service) == set(), service.causes()
    if harm is _without_table:
        with pytest.raises(Refused, match="this migration did not create it"):
            run(service)
        service.waive(f"target.foreign.{CUSTOMERS}.2", "restored by cbt undeletetable")
    run(service)
    assert_crossed(crossing, service)


# ---- secrets


def test_the_journal_holds_neither_the_key_nor_what_is_in_its_file(tmp_path: Path) -> None:
    secret = "MIIEvQIBADANBgkqhkiG9w0"
    key_file = tmp_path / "key.json"
    key_file.write_text(f'{{"private_key": "{secret}"}}')
    crossing = Crossing(tmp_path, bigtable_settings(key_file=str(key_file)))
    crossing.world.clusters[Side.SOURCE].pages.settings[library.JSON_VALUE] = f'{{"private_key": "{secret}"}}'
    service = crossing.service()
    run(service)
    assert_crossed(crossing, service)
    assert secret not in repr(service.view) and "(set)" in repr(service.view.source.servers)
    service.close()
    journal = (tmp_path / "m.journal").read_bytes()
    assert len(journal) > 10_000 and secret.encode() not in journal and b"private_key" not in journal


# ---- Google's pipelines

BUCKET = "gs://shop-ferry"


def pipelines(engine: BackfillEngine = BackfillEngine.FERRY, **backfill: object) -> Mapping[str, object]:
    own = {"jar": "/opt/beam.jar", "region": "asia-east1", "export_dir": f"{BUCKET}/history", **backfill}
    return {"backfill": BackfillSettings(engine=engine, rows_per_range=700, **own)}  # type: ignore[arg-type]


def job_ids(service: MigrationService) -> list[str]:
    return [str(params["id"]) for method, params in intents(service) if method == "job.start"]


def test_the_import_pipeline_is_shown_in_full_and_its_failure_can_be_tried_again(tmp_path: Path) -> None:
    """The embedded edge node has neither HBase's Export nor Java: both end with 127."""
    crossing = Crossing(tmp_path, bigtable_settings(**pipelines(BackfillEngine.IMPORT)))
    service = crossing.service()
    run(service, f"scope:{CUSTOMERS}")
    export, pipeline = (line.command for line in service.preview(BACKFILL, service.observe()).lines)
    folder = f"{BUCKET}/history/ferry-00c0de/00c0de-export-1-1"
    assert "org.apache.hadoop.hbase.mapreduce.Export" in export and f"{CUSTOMERS} {folder} 2147483647" in export
    for word in (
        "-cp /opt/beam.jar com.google.cloud.bigtable.beam.Main import", "--runner=DataflowRunner",
        "--bigtableProject=shop-prod", "--bigtableInstanceId=shop-bigtable", f"--bigtableTableId={CUSTOMERS}",
        f"--sourcePattern={folder}/part-", "--region=asia-east1", "--wait=true",
    ):  # fmt: skip
        assert word in pipeline.replace("'", "")
    with pytest.raises(StepFailed, match=r"job 00c0de-export-1-1 on prod-bj ended with exit code 127"):
        list(service.execute(BACKFILL))
    assert steps(service)[BACKFILL] is StepState.BLOCKED
    with pytest.raises(StepFailed, match=r"job 00c0de-export-1-2 on prod-bj ended with exit code 127"):
        list(service.execute(BACKFILL))
    assert job_ids(service) == ["00c0de-export-1-1", "00c0de-export-1-2"]
    assert steps(service)["enable-peer"] is StepState.LATER


def test_the_snapshot_pipeline_exports_this_runs_snapshot_and_begins_no_peer_without_it(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(**pipelines(BackfillEngine.IMPORTSNAPSHOT)))
    service = crossing.service()
    run(service, "release-splits")
    export, pipeline = (line.command for line in service.preview(BACKFILL, service.observe()).lines)
    assert "ExportSnapshot" in export and "-snapshot ferry-00c0de-customers" in export
    assert f"{BUCKET}/history/ferry-00c0de/00c0de-export-1-1" in export
    assert "importsnapshot" in pipeline and "--snapshotName=ferry-00c0de-customers" in pipeline
    with pytest.raises(StepFailed, match=r"job 00c0de-(export|import)-1-1 on prod-bj ended with exit code"):
        list(service.execute(BACKFILL))
    with pytest.raises(Refused, match=f"{BACKFILL} comes before enable-peer"):
        list(service.execute("enable-peer"))


def test_sync_table_compares_what_hash_table_wrote_and_its_failure_proves_nothing(tmp_path: Path) -> None:
    compare = CompareSettings(engine=CompareEngine.SYNC_TABLE)
    crossing = Crossing(tmp_path, bigtable_settings(compare=compare, **pipelines()))
    service = crossing.service()
    run(service, "caught-up")
    hashes, sync = (line.command for line in service.preview(VERIFY, service.observe()).lines)
    folder = hashes.split()[-1]
    assert "mapreduce.HashTable" in hashes and f" {CUSTOMERS} " in hashes and folder.endswith("/00c0de-live-hash-1-1")
    assert f"--hashTableOutputDir={folder}" in sync and "sync-table" in sync
    with pytest.raises(StepFailed, match=r"job 00c0de-live-sync-1-1 on prod-bj ended with exit code 127"):
        list(service.execute(VERIFY))
    with pytest.raises(StepFailed, match=r"job 00c0de-live-sync-1-2 on prod-bj ended with exit code 127"):
        list(service.execute(VERIFY))
    assert steps(service)["stop-writers"] is StepState.LATER


@pytest.mark.parametrize("step", [BACKFILL, VERIFY])
def test_a_pipeline_without_its_jar_is_shown_with_a_placeholder_and_never_started(tmp_path: Path, step: str) -> None:
    """A configuration file without it is refused; settings from elsewhere are not taken on trust."""
    engine = BackfillEngine.IMPORT if step == BACKFILL else BackfillEngine.FERRY
    compare = CompareSettings(engine=CompareEngine.SYNC_TABLE)
    crossing = Crossing(tmp_path, bigtable_settings(compare=compare, **pipelines(engine, jar="")))
    service = crossing.service()
    run(service, f"scope:{CUSTOMERS}" if step == BACKFILL else "caught-up")
    lines = service.preview(step, service.observe()).lines
    assert "<bigtable-beam-import-shaded.jar>" in lines[1].command and lines[1].unknown
    with pytest.raises((Refused, StepFailed)):
        list(service.execute(step))
    assert not any("import" in name or "sync" in name for name in job_ids(service))
