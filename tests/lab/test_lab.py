"""The lab itself: two clusters that are real, apart and on the loopback only; a writer whose ledger names losses."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import happybase
import pytest
from listening import listening

from hbase_ferry.migration.config import parse
from lab import Cluster, Lab, Workload

pytestmark = pytest.mark.lab


@contextlib.contextmanager
def thrift(cluster: Cluster) -> Iterator[happybase.Connection]:
    host, port = cluster.thrift.split(":")
    with contextlib.closing(happybase.Connection(host, int(port), timeout=30_000)) as connection:
        yield connection


@pytest.fixture(scope="module")
def written(lab: Lab) -> Workload:
    """A small table that was loaded, then written to for a moment."""
    work = lab.workload("itself", seed=11)
    work.create(regions=4)
    work.load(2_000)
    work.start(rate=2_000)
    work.stop()
    return work


def test_every_server_listens_on_the_loopback_only(lab: Lab) -> None:
    processes = lab.registry.living()
    assert {process.name for process in processes} >= {"source-cluster", "source-server2", "target-cluster"}
    assert {address for process in processes for address in listening(process.pid)} == {"0100007F"}


def test_the_source_spreads_a_table_over_two_region_servers(lab: Lab, written: Workload) -> None:
    with thrift(lab.source) as connection:
        regions = connection.table(written.table).regions()
    assert len(regions) == 4
    assert {region["port"] for region in regions} == {lab.source.ports["server1"], lab.source.ports["server2"]}


def test_the_two_clusters_do_not_share_tables(lab: Lab, written: Workload) -> None:
    with thrift(lab.source) as source, thrift(lab.target) as target:
        assert written.table.encode() in source.tables()
        assert written.table.encode() not in target.tables()


def test_a_check_after_live_writes_finds_every_row(lab: Lab, written: Workload) -> None:
    checked = written.check(lab.source)
    assert checked.bad == (), str(checked)
    assert checked.scanned_rows == checked.expected_rows > 1_900


def test_a_check_names_the_row_that_is_lost_changed_or_foreign(lab: Lab, written: Workload) -> None:
    with thrift(lab.source) as connection:
        table = connection.table(written.table)
        keys = [key for key, _ in table.scan(columns=[b"d:v"], limit=3)]
        before = {key: table.row(key, include_timestamp=True) for key in keys}
        table.delete(keys[0])
        table.put(keys[1], {b"d:v": b"changed"}, timestamp=before[keys[1]][b"d:v"][1])
        table.put(b"not-ours", {b"d:v": b"x"})
        try:
            bad = {(b.row, b.column, b.problem) for b in written.check(lab.source).bad}
            only_m = {(b.row, b.column, b.problem) for b in written.check(lab.source, ("m",)).bad}
        finally:
            table.delete(b"not-ours")
    assert ("not-ours", "d", "foreign") in bad
    assert (keys[1].decode(), "d:v", "wrong") in bad
    assert {(keys[0].decode(), column.decode(), "missing") for column in before[keys[0]]} <= bad
    assert len(bad) == 2 + len(before[keys[0]])
    assert only_m == {found for found in bad if found[1].startswith("m:")}


def test_a_table_that_never_crossed_is_named_row_by_row(lab: Lab, written: Workload) -> None:
    other = lab.workload("itself", table="lab:crossed", seed=11)
    with thrift(lab.target) as target, contextlib.suppress(Exception):
        target.delete_table("lab:crossed", disable=True)
    empty = Workload(lab.target, lab.root / "workload" / "empty", "lab:crossed", 11)
    empty.create(regions=2)
    checked = other.check(lab.target, ("d",))
    assert checked.scanned_rows == 0
    assert len({b.row for b in checked.bad}) == checked.expected_rows > 1_900


def test_a_writer_killed_in_the_middle_leaves_an_honest_ledger(lab: Lab) -> None:
    work = lab.workload("killed-writer", seed=3)
    work.create(regions=2)
    work.load(500)
    work.start(rate=4_000)
    work.kill()
    assert work.check(lab.source).bad == ()
    work.start(rate=1_000)
    assert work.stop()["unknown"] == 0
    assert work.check(lab.source).bad == ()


def test_a_frozen_cluster_answers_nothing_and_lives_on_when_thawed(lab: Lab) -> None:
    host, port = lab.target.thrift.split(":")
    lab.target.freeze()
    try:
        connection = happybase.Connection(host, int(port), timeout=700)
        with contextlib.closing(connection), pytest.raises(OSError):
            connection.tables()
    finally:
        lab.target.thaw()
    with thrift(lab.target) as connection:
        assert isinstance(connection.tables(), list)


def test_the_edge_node_runs_its_commands_over_ssh(lab_with_ssh: Lab) -> None:
    lab, ssh = lab_with_ssh, lab_with_ssh.source.ssh
    assert ssh is not None
    options = ["-o", f"UserKnownHostsFile={ssh.known_hosts}", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
    argv = ["ssh", "-F", "none", "-p", str(ssh.port), "-i", ssh.key_file, "-o", "IdentitiesOnly=yes", *options]
    command = f"{lab.source.bin_dir}/hdfs dfs -ls {lab.source.rootdir}"
    done = subprocess.run([*argv, f"{ssh.user}@{ssh.host}", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "/hbase/oldWALs" in done.stdout


@pytest.mark.parametrize("transport", ["local", "ssh"])
def test_the_settings_the_lab_writes_are_valid(lab_with_ssh: Lab, transport: str) -> None:
    lab = lab_with_ssh
    tables = ["lab:orders", {"name": "lab:users", "families": ["d"]}]
    settings = parse(lab.config_yaml(transport=transport, tables=tables, gates={"max_lag_ms": 5000}))
    assert settings.source.hbase == (lab.source.hbase,)
    assert settings.gates.max_lag_ms == 5000
    assert [table.families for table in settings.tables] == [(), ("d",)]


def test_a_killed_cluster_restarts_over_its_own_data(lab: Lab, written: Workload) -> None:
    before = written.check(lab.source)
    lab.source.kill()
    assert not lab.source.running
    lab.source.restart()
    after = written.check(lab.source)
    assert after.scanned_rows == before.scanned_rows > 1_900
    assert set(after.bad) == set(before.bad)
