"""The lab with Bigtable: Google's endpoint really ships to the emulator, and a comparison names what is not there."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from google.api_core.exceptions import DeadlineExceeded, ServiceUnavailable
from google.cloud.bigtable.data import BigtableDataClient, DeleteAllFromRow, Mutation, SetCell
from lab.bigtable import SAMPLE_PORT, BigtableLab, compare_cells
from lab.places import REPO, LabError
from lab.ports import free_ports
from lab.process import start_time
from lab.workload import Workload
from listening import listening
from waiting import wait_until

from hbase_ferry.migration.config import parse

pytestmark = pytest.mark.lab

SERVERS = ("server1", "server2")
LOSSES = ("DroppedIncompatibleMutations", "IncompatibleTimestampOverflowMutation", "PutsInFutureMutations")


def counter(lab: BigtableLab, name: str) -> int:
    """One counter of the replication beans, summed over the region servers."""
    return sum(int(lab.replication_bean(server).get(name, 0)) for server in SERVERS)


def compared_equal(lab: BigtableLab, table: str) -> Callable[[], bool]:
    return lambda: not compare_cells(lab, table, most=1).differences


def put(cells: Mapping[tuple[str, bytes, int], bytes]) -> list[Mutation]:
    return [SetCell(family, name, value, timestamp_micros=us) for (family, name, us), value in cells.items()]


@pytest.fixture(scope="module")
def odd(bigtable_lab: BigtableLab) -> Workload:
    """A table for what Bigtable cannot take over, of the same peer."""
    work = bigtable_lab.workload("odd")
    work.create(regions=2)
    bigtable_lab.emulator.instance.create(work.table, {"d": 0, "m": 0})
    return work


@pytest.fixture(scope="module")
def shipped(bigtable_lab: BigtableLab, odd: Workload) -> Workload:
    """A table whose every write waited in a peer's queue, until the peer was enabled and the queue drained."""
    lab, work = bigtable_lab, bigtable_lab.workload("shipped")
    work.create(regions=4)
    lab.emulator.instance.create(work.table, {"d": 0, "m": 0})
    lab.add_peer("shipped", work.table, odd.table)
    lab.set_scope(work.table, odd.table)
    work.load(2_000)
    work.start(rate=1_500)
    wait_until(lambda: work.ledger.read_text().count("\nq ") > 20, 30, "point deletes")
    written = work.stop()
    assert written["unknown"] == 0 and min(written[kind] for kind in ("deletes", "versions", "overwrites")) > 20
    lab.set_peer("shipped", "enable")
    return work


def test_every_cell_of_puts_versions_and_deletes_arrives(bigtable_lab: BigtableLab, shipped: Workload) -> None:
    wait_until(compared_equal(bigtable_lab, shipped.table), 40, "every cell on both sides")
    compared = compare_cells(bigtable_lab, shipped.table)
    assert not compared.differences, str(compared)
    assert compared.cells > compared.rows * 2 > 3_600
    checked = shipped.check(bigtable_lab.source)
    assert not checked.bad, str(checked)
    assert checked.scanned_rows == compared.rows


def test_the_librarys_counters_are_served_within_seconds(bigtable_lab: BigtableLab, shipped: Workload) -> None:
    wait_until(lambda: counter(bigtable_lab, "source.shipped.oneWayReplEligibleMutations"), 20, "eligible mutations")
    wait_until(lambda: counter(bigtable_lab, "source.shipped.shippedOps"), 20, "shipped operations")
    assert counter(bigtable_lab, "source.shipped.bigtableIncompatibleDeleteMutations") > 0


@pytest.mark.filterwarnings("ignore:Connecting to Bigtable emulator")
def test_a_comparison_names_the_cell_that_is_missing_extra_or_changed(
    bigtable_lab: BigtableLab, shipped: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until(compared_equal(bigtable_lab, shipped.table), 40, "every cell on both sides")
    monkeypatch.setenv("BIGTABLE_EMULATOR_HOST", bigtable_lab.emulator.address)
    (lost, gone), (changed, cells), *_ = bigtable_lab.emulator.instance.rows(shipped.table)
    cell = max(cells)
    with BigtableDataClient(project=bigtable_lab.project) as client:
        table = client.get_table(bigtable_lab.instance, shipped.table)
        table.mutate_row(lost, DeleteAllFromRow())
        table.mutate_row(changed, put({cell: b"other"}))
        table.mutate_row(b"\xff\x00", put({("d", b"", 1_000): b""}))
        try:
            found = compare_cells(bigtable_lab, shipped.table).differences
        finally:
            table.mutate_row(b"\xff\x00", DeleteAllFromRow())
            table.mutate_row(lost, put(gone))
            table.mutate_row(changed, put(cells))
    assert {(d.row, (d.family, d.qualifier, d.time_us), d.problem) for d in found} == {
        *((lost, each, "missing") for each in gone),
        (changed, cell, "value"),
        (b"\xff\x00", ("d", b"", 1_000), "extra"),
    }
    assert compared_equal(bigtable_lab, shipped.table)()


def test_incompatible_writes_raise_the_librarys_counters(
    bigtable_lab: BigtableLab, shipped: Workload, odd: Workload
) -> None:
    wait_until(compared_equal(bigtable_lab, shipped.table), 40, "every cell on both sides")
    expected = {
        "bigtableIncompatibleMutations": 6,
        "bigtableIncompatibleDeleteMutations": 4,
        "bigtableDroppedIncompatibleMutations": 2,
        "bigtableIncompatibleTimestampOverflowMutation": 2,
        "bigtablePutsInFutureMutations": 4,
    }

    def counted() -> dict[str, int]:
        return {name: counter(bigtable_lab, f"source.shipped.{name}") for name in expected}

    before = counted()
    assert not any(before[f"bigtable{loss}"] for loss in LOSSES), "the plain workload lost something"
    odd.incompatible()
    wanted = {name: before[name] + more for name, more in expected.items()}
    wait_until(lambda: counted() == wanted, 30, f"the counters become {wanted}")


def test_the_servers_show_the_keys_they_run_with(bigtable_lab: BigtableLab) -> None:
    for server in ("master", *SERVERS):
        with urllib.request.urlopen(f"{bigtable_lab.page(server)}/conf", timeout=20) as answer:
            text = answer.read().decode()
        for key, value in bigtable_lab.google_keys().items():
            assert f"<name>{key}</name><value>{value}</value>" in text, server


def test_every_process_listens_on_the_loopback_only(bigtable_lab: BigtableLab) -> None:
    processes = bigtable_lab.registry.living()
    assert {process.name for process in processes} >= {"source-cluster", "source-server2", "emulator"}
    assert {address for process in processes for address in listening(process.pid)} == {"0100007F"}


def test_the_settings_the_lab_writes_are_valid(bigtable_lab: BigtableLab) -> None:
    settings = parse(bigtable_lab.config_yaml(bigtable={"dry_run": True}, gates={"max_lag_ms": 5000}))
    assert settings.target.bigtable is not None
    assert settings.target.bigtable.emulator == bigtable_lab.emulator.address
    assert (settings.target.bigtable.dry_run, settings.gates.max_lag_ms) == (True, 5000)


def test_the_emulator_of_the_sample_is_where_the_lab_puts_it() -> None:
    settings = parse((REPO / "sample_configs" / "lab-bigtable.yaml").read_text())
    assert settings.target.bigtable is not None
    assert settings.target.bigtable.emulator == f"127.0.0.1:{SAMPLE_PORT}"


def test_a_frozen_emulator_holds_back_and_a_thawed_one_has_it_all(bigtable_lab: BigtableLab, shipped: Workload) -> None:
    emulator, shipped_before = bigtable_lab.emulator, counter(bigtable_lab, "source.shipped.shippedOps")
    emulator.freeze()
    try:
        with pytest.raises(DeadlineExceeded):
            emulator.instance.tables(seconds=0.5)
        shipped.start(rate=200)
        shipped.stop()
        assert counter(bigtable_lab, "source.shipped.shippedOps") == shipped_before
    finally:
        emulator.thaw()
    wait_until(compared_equal(bigtable_lab, shipped.table), 40, "every cell on both sides after the thaw")


def test_a_table_that_the_emulator_does_not_have_is_a_sentence(bigtable_lab: BigtableLab, shipped: Workload) -> None:
    with pytest.raises(LabError, match=r"lab_nothing cannot be read.*not found"):
        list(bigtable_lab.emulator.instance.rows("lab_nothing"))
    with pytest.raises(LabError, match="source could not be read"):
        compare_cells(bigtable_lab, "lab_nothing")


def test_a_killed_emulator_comes_back_empty_at_the_same_address(bigtable_lab: BigtableLab, shipped: Workload) -> None:
    bigtable_lab.set_peer("shipped", "remove")
    emulator = bigtable_lab.emulator
    pid, address = emulator.pid, emulator.address
    emulator.kill()
    assert not emulator.running
    with pytest.raises(ServiceUnavailable):
        emulator.instance.tables(seconds=2)
    emulator.restart()
    assert emulator.instance.tables() == ()
    assert (emulator.address, emulator.pid != pid) == (address, True)


KILLED_OWNER = """
    import sys, time
    from pathlib import Path
    from lab.emulator import Emulator, binary
    root = Path(sys.argv[1])
    emulator = Emulator(root, int(sys.argv[2]), binary(), root / "records")
    emulator.owned = True
    emulator.lay_out()
    emulator.launch()
    emulator.await_ready(30)
    emulator.kill()
    emulator.restart()
    print(emulator.pid, flush=True)
    time.sleep(600)
"""


def test_an_owned_emulator_ends_with_its_owner_even_after_a_restart(bigtable_lab: BigtableLab, tmp_path: Path) -> None:
    port = str(free_ports(("emulator",))["emulator"])
    argv = [sys.executable, "-c", textwrap.dedent(KILLED_OWNER), str(tmp_path), port]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=REPO) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert start_time(pid)
        owner.kill()
    wait_until(lambda: start_time(pid) is None, 20, "the end of the emulator")


def test_other_choices_are_written_and_the_running_servers_keep_theirs(bigtable_lab: BigtableLab) -> None:
    lab, conf = bigtable_lab, bigtable_lab.source.conf_dir
    key = "google.bigtable.project.id"
    try:
        lab.configure(keys="hbase-site", settings={"replication.source.regionserver.abort": "false"})
        text = (conf / "hbase-site.xml").read_text()
        assert key in text and "replication.source.regionserver.abort" in text
        assert key not in (conf / "core-site.xml").read_text()
        lab.configure(keys="none", library=False, settings={})
        assert key not in (conf / "hbase-site.xml").read_text() + (conf / "core-site.xml").read_text()
        command = Path(lab.source.hbase)
        assert "bigtable" not in subprocess.check_output([command, "classpath"], text=True).replace(str(lab.root), "")
        with pytest.raises(LabError, match="core-site, hbase-site, none"):
            lab.configure(keys="nowhere")
        with urllib.request.urlopen(f"{lab.page('server2')}/conf", timeout=20) as answer:
            assert key in answer.read().decode()
    finally:
        lab.configure(keys="core-site", library=True, settings={})
    assert key in (conf / "core-site.xml").read_text()
    assert "bigtable" in subprocess.check_output([command, "classpath"], text=True).replace(str(lab.root), "")
