"""Row samples through the real Thrift servers: equal, different, under live writes, and when they cannot be taken."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import happybase
import pytest
from lab.cluster import Cluster
from lab.workload import Workload
from typer.testing import CliRunner, Result

from hbase_ferry.cli import main as cli
from hbase_ferry.cluster.thrift import Speech, ThriftRows
from lab import Lab

pytestmark = pytest.mark.lab
NAME = "sampled"
TABLE = f"lab:{NAME}"


def sample(config: Path, *words: str) -> Result:
    """`hbase-ferry sample`."""
    return CliRunner().invoke(cli.app, ["sample", str(config), *words], prog_name="hbase-ferry")


def table(cluster: Cluster) -> happybase.Table:
    host, _, port = cluster.thrift.rpartition(":")
    return happybase.Connection(host, int(port), timeout=30_000).table(TABLE)


class Batches(dict[int, happybase.batch.Batch]):
    """One batch a timestamp: Thrift writes one moment a call."""

    def __init__(self, table: happybase.Table) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, ts: int) -> happybase.batch.Batch:
        self[ts] = self._table.batch(timestamp=ts)
        return self[ts]


@pytest.fixture(scope="module")
def workload(lab: Lab) -> Iterator[Workload]:
    """A loaded table on the source and a true copy of it, timestamps included, on the target."""
    made = lab.workload(NAME)
    made.create()
    made.load(800)
    twin = Workload(lab.target, lab.root / "workload" / f"{NAME}-copy", TABLE, 7)
    twin.create()
    copies = Batches(table(lab.target))
    for key, cells in table(lab.source).scan(include_timestamp=True):
        by_time: dict[int, dict[bytes, bytes]] = {}
        for name, (value, ts) in cells.items():
            by_time.setdefault(ts, {})[name] = value
        for ts, values in by_time.items():
            copies[ts].put(key, values)
    for copy in copies.values():
        copy.send()
    yield made
    if made.running:
        made.kill()


@pytest.fixture
def config(lab: Lab, tmp_path: Path) -> Path:
    path = tmp_path / "sampled.yaml"
    path.write_text(lab.config_yaml(tables=[TABLE], name=NAME, gates={"max_lag_ms": 2_000}))
    return path


def test_a_true_copy_is_equal(workload: Workload, config: Path) -> None:
    done = sample(config, TABLE, "--rows", "100", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["regions"], found["rows"], found["equal"], found["different"]) == (8, 100, 100, 0)
    assert found["cells"] >= 200
    assert done.stderr.count("buffered binary") == 2


def test_every_way_to_differ_is_found_and_named(lab: Lab, workload: Workload, config: Path) -> None:
    there = table(lab.target)
    (gone, _), (other, cells), (late, now) = list(there.scan(limit=3, include_timestamp=True))
    there.delete(gone)
    there.put(other, {b"d:v": b"\x1b[31mother"}, timestamp=cells[b"d:v"][1])
    there.put(late, {b"m:w": now.get(b"m:w", (b"x", 0))[0]}, timestamp=int(time.time() * 1000))
    done = sample(config, "--rows", "800")
    assert done.exit_code == 3, done.stderr
    assert "3 different" in done.stdout and "\x1b" not in done.stdout
    assert f"{gone.decode()}  the whole row is on the source only" in done.stdout
    assert f"{other.decode()}  d:v value" in done.stdout
    assert f"{late.decode()}  m:w" in done.stdout


def test_rows_that_are_written_while_they_are_compared_are_pending(lab: Lab, workload: Workload, config: Path) -> None:
    """The copy does not follow: rows overwritten during the sample would be called different by a plain comparison."""
    key, _ = next(iter(table(lab.source).scan(limit=1, row_start=b"80000000")))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, lab.source.thrift, TABLE, key.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
        reader = sample(config, "--rows", "800", "--json")
    finally:
        assert writer.stdin is not None
        writer.stdin.close()
        writer.wait(30)
    found = json.loads(reader.stdout)
    assert found["pending"] >= 1
    assert key.decode() not in [row["key"] for row in found["first"]]


WRITER = """
import happybase, select, sys
address, table, key = sys.argv[1:]
host, _, port = address.rpartition(":")
rows, n = happybase.Connection(host, int(port)).table(table), 0
while not select.select([sys.stdin], [], [], 0.2)[0]:
    n += 1
    rows.put(key, {b"d:v": b"%d" % n})
    if n == 1:
        print("writing", flush=True)
"""


def test_a_dead_a_silent_and_an_unnamed_thrift_server_are_told_at_once(lab: Lab, config: Path) -> None:
    text = config.read_text()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        config.write_text(text.replace(lab.target.thrift, address))
        begun = time.monotonic()
        done = sample(config)
        assert done.exit_code == 5 and time.monotonic() - begun < 20
        assert f"lab-target: something listens at {address}, but no Thrift1 server" in done.stderr
    done = sample(config)
    assert done.exit_code == 5
    assert f"lab-target: no Thrift server at {address}" in done.stderr
    config.write_text("".join(line for line in text.splitlines(True) if lab.target.thrift not in line))
    done = sample(config)
    assert done.exit_code == 2 and "target.thrift: is not set" in done.stderr
    done = sample(config, "lab:nosuch")
    assert done.exit_code == 2 and '"lab:nosuch" does not migrate' in done.stderr


def test_a_framed_compact_server_is_understood(lab: Lab, workload: Workload) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = lab.source.java("-Xmx96m", "org.apache.hadoop.hbase.thrift.ThriftServer", "start", "--bind", "127.0.0.1",
                           "-p", str(port), "--infoport", "-1", "-f", "-c", "-nonblocking")  # fmt: skip
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = ThriftRows("lab-source", f"127.0.0.1:{port}", probe_seconds=30)
    try:
        end = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        assert rows.open() == Speech("framed", "compact")
        assert len(rows.regions(TABLE)) == 8
    finally:
        rows.close()
        server.kill()
        server.wait(30)
