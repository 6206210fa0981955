"""The lines that are printed for an operator do, where pasted, what the actions beside them do."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator.embedded import demo_settings
from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS, embedded_bigtable
from hbase_ferry.errors import Refused
from hbase_ferry.migration import commands
from hbase_ferry.migration.bigtable.repairs import cbt_delete
from hbase_ferry.migration.compare.result import Example
from hbase_ferry.migration.core import Gate, StepState
from hbase_ferry.migration.sampling import Fault
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import Settings
from hbase_ferry.migration.steps.prepare import AddPeer
from hbase_ferry.migration.targets import build_plan
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.view import View
from migration.embedded import Crossing, bigtable_settings, run

TABLE = f"table:{CUSTOMERS}"
PEER = "ferry_orders"
EMULATOR = "lab1:8086"
CBT = "cbt -project shop-prod -instance shop-bigtable "
LIMIT = 1_000_000
TARGETS = {"hbase": demo_settings(), "bigtable": bigtable_settings()}


# ---- add_peer


UNSEEN = View(0.0, ClusterView(Side.SOURCE, "a"), ClusterView(Side.TARGET, "b"))


def adding(target: str, major: int = 2, **settings: object) -> tuple[str, object, object]:
    """The line that adds the peer to that line of HBase, and the limit and order that are sent."""
    step = build_plan(dataclasses.replace(TARGETS[target], **settings), "<run>").step("add-peer")  # type: ignore[arg-type]
    assert isinstance(step, AddPeer)
    action = step.adding(UNSEEN, major)
    return action.command, action.params["bandwidth"], action.params["serial"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_printed_peer_of_2_x_has_the_limit_and_the_order_that_are_sent(target: str) -> None:
    line, bandwidth, serial = adding(target, peer_bandwidth=LIMIT, peer_serial=True)
    assert (bandwidth, serial) == (LIMIT, True)
    assert line.endswith(f', SERIAL => true, STATE => "DISABLED"; set_peer_bandwidth \'{PEER}\', 1000000')
    assert "\n" not in line and line.count("add_peer") == 1


@pytest.mark.parametrize("target", TARGETS)
def test_the_printed_peer_of_1_x_is_disabled_before_its_limit_and_knows_no_order(target: str) -> None:
    """SERIAL is an undefined constant in its shell, and the agent sends none to it."""
    line, *_ = adding(target, 1, peer_bandwidth=LIMIT, peer_serial=True)
    assert line.endswith(f"; disable_peer '{PEER}'; set_peer_bandwidth '{PEER}', 1000000")
    assert "SERIAL" not in line and "STATE" not in line


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("major", [1, 2])
def test_nothing_is_printed_of_a_limit_or_an_order_that_is_not_set(target: str, major: int) -> None:
    line, bandwidth, serial = adding(target, major)
    assert (bandwidth, serial) == (0, False) and "SERIAL" not in line and "bandwidth" not in line


def test_the_dry_run_s_peer_is_printed_with_the_same_limit() -> None:
    settings = dataclasses.replace(bigtable_settings(dry_run=True), peer_bandwidth=LIMIT, peer_serial=True)
    action = build_plan(settings, "<run>").step("dry-run").effects(UNSEEN)[0].action
    assert (action.params["bandwidth"], action.params["serial"]) == (LIMIT, True)
    assert action.command.endswith(f"SERIAL => true, STATE => \"DISABLED\"; set_peer_bandwidth '{PEER}_dry', 1000000")


def test_an_id_in_every_part_of_the_line_is_a_ruby_string() -> None:
    line = commands.add_peer("a'b", "zk:2181:/hbase", {}, born_disabled=False, bandwidth=1)
    assert line.endswith(r"; disable_peer 'a\'b'; set_peer_bandwidth 'a\'b', 1") and line.startswith(r"add_peer 'a\'b'")


# ---- a peer that is there


def adder(service: MigrationService) -> tuple[StepState, tuple[str, ...], list[Gate]]:
    view = service.observe()
    status = next(s for s in service.status(view) if s.step.id == "add-peer")
    return status.state, status.blocked, [g for g in status.step.gates(view) if g.name == "peer.bandwidth"]


def begun(target: str, folder: Path, **settings: object) -> tuple[Crossing, MigrationService]:
    crossing = Crossing(folder, dataclasses.replace(TARGETS[target], **settings))  # type: ignore[arg-type]
    service = crossing.service()
    run(service, "add-peer")
    assert adder(service) == (StepState.DONE, (), [])
    return crossing, service


@pytest.mark.parametrize("target", TARGETS)
def test_a_limit_that_was_changed_by_hand_is_named_and_keeps_nothing_back(target: str, tmp_path: Path) -> None:
    crossing, service = begun(target, tmp_path, peer_bandwidth=LIMIT)
    crossing.world.clusters[Side.SOURCE].peers[PEER].bandwidth = 0
    state, blocked, (gate,) = adder(service)
    assert (state, blocked) == (StepState.DONE, ()) and gate.warning and not gate.open
    assert "has no limit" in gate.text and f"set_peer_bandwidth '{PEER}', 1000000" in gate.text
    run(service, "queues")
    crossing.world.clusters[Side.SOURCE].peers[PEER].bandwidth = 77
    assert "a limit of 77 bytes a second" in adder(service)[2][0].text


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("wanted", [True, False])
def test_a_peer_of_another_order_is_not_taken_for_the_one_that_is_wanted(
    target: str, wanted: bool, tmp_path: Path
) -> None:
    crossing, service = begun(target, tmp_path, peer_serial=wanted)
    crossing.world.clusters[Side.SOURCE].peers[PEER].serial = not wanted
    state, (text,), _ = adder(service)
    is_serial, serial = str(not wanted).lower(), str(wanted).lower()
    assert state is StepState.BLOCKED and f"has SERIAL {is_serial}, and peer_serial is {serial}" in text
    assert f"set_peer_serial '{PEER}', {serial} in the hbase shell, or set peer_serial: {is_serial}" in text


def test_a_peer_of_1_x_which_has_no_order_is_the_one_that_is_wanted(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, dataclasses.replace(bigtable_settings(), peer_serial=True))
    crossing.world = embedded_bigtable(7, crossing.clock, source_version="1.4.13")
    service = crossing.service()
    run(service, "roll-wals")
    with pytest.raises(Refused, match=r"runs HBase 1\.4\.13, which has no serial peers"):
        list(service.execute("add-peer", service.preview("add-peer").confirmation.expected))
    service.waive("peer.serial", "nobody reads the order of writes")
    list(service.execute("add-peer", service.preview("add-peer").confirmation.expected))
    crossing.world.clusters[Side.SOURCE].peers[PEER].serial = False
    assert adder(service) == (StepState.DONE, (), [])


# ---- cbt and gcloud


def target_lines(folder: Path, settings: Settings) -> list[str]:
    """Every line of the step that creates the table: as planned, for a table that lacks a family, and taken back."""
    crossing = Crossing(folder, settings)
    service = crossing.service()
    step = service.plan.step(TABLE)
    found = [effect.action.command for effect in step.effects(service.observe())]
    run(service, TABLE)
    instance = crossing.world.instance
    assert instance is not None
    del instance.tables[CUSTOMERS].families["m"]
    view = service.observe()
    found += [effect.action.command for effect in step.effects(view)]
    return [*found, *(action.command for action in step.undo(view))]


def test_lines_for_an_instance_name_it_and_nothing_else(tmp_path: Path) -> None:
    text = "\n".join(target_lines(tmp_path, bigtable_settings(protect=True)))
    for line in (f"{CBT}createtable customers", f"{CBT}createfamily customers m", f"{CBT}deletetable customers"):
        assert line in text
    assert "setgcpolicy customers m" in text and "BIGTABLE_EMULATOR_HOST" not in text
    where = "gcloud bigtable instances tables update customers --instance=shop-bigtable --project=shop-prod"
    assert f"{where} --deletion-protection" in text and f"{where} --no-deletion-protection" in text


def test_no_line_for_an_emulator_reaches_the_real_instance_of_that_name(tmp_path: Path) -> None:
    lines = target_lines(tmp_path, bigtable_settings(protect=True, emulator=EMULATOR))
    words = [shlex.split(part, comments=True) for line in lines for part in line.split("; ")]
    called = [part for part in words if part]
    assert {part[part.index("-instance") + 2] for part in called} == {
        "createtable", "createfamily", "setgcpolicy", "deletetable",
    }  # fmt: skip
    assert all(part[:3] == ["env", f"BIGTABLE_EMULATOR_HOST={EMULATOR}", "cbt"] for part in called), called
    comments = {line for line in lines if line.startswith("#")}
    assert {line.rpartition(" ")[2] for line in comments} == {"on", "off"}
    assert all("gcloud reaches no emulator" in line for line in comments)


def test_what_removes_a_cell_of_an_emulator_names_it() -> None:
    example = Example(b"k".hex(), "d", b"q".hex(), Fault.EXTRA, None, 0)
    assert cbt_delete("p", "i", "orders", "")(example) == "cbt -project p -instance i deletecolumn orders k d q"
    there = cbt_delete("p", "i", "orders", EMULATOR)(example)
    assert there == f"env BIGTABLE_EMULATOR_HOST={EMULATOR} cbt -project p -instance i deletecolumn orders k d q"
