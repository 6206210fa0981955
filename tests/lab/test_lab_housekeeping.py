"""What the lab does about processes, folders, ports and downloads: found by pid and start time, owned, never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.cluster import Cluster
from lab.life import end_leftovers, sweep
from lab.places import FolderLock, LabError, Unavailable
from lab.ports import free_ports
from lab.process import Process, Registry, boot_id, start_time

from lab import edge, jars, places, site

SLEEP = ["/bin/sleep", "600"]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HBASE_FERRY_LAB", str(tmp_path / "lab"))
    return tmp_path / "lab"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path / "processes" / "run")
    yield made
    made.end_all()


def wait_until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def started(registry: Registry, tmp_path: Path, argv: list[str] = SLEEP, *, owned: bool = False) -> Process:
    registry.start("it", argv, log=tmp_path / "it", owned=owned)
    wait_until(lambda: registry.get("it"))
    process = registry.get("it")
    assert process is not None
    return process


def test_a_process_is_recorded_with_the_kernels_start_time(registry: Registry, tmp_path: Path) -> None:
    process = started(registry, tmp_path)
    assert process.alive
    assert process.start == start_time(process.pid)
    assert Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[:2] == [b"/bin/sleep", b"600"]


def test_odd_arguments_reach_the_program_unchanged(registry: Registry, tmp_path: Path) -> None:
    odd = ["a b", "--", "it's", "", "$HOME", "*"]
    popen = registry.start("it", [sys.executable, "-c", "import sys; print(sys.argv[1:])", *odd], log=tmp_path / "it")
    assert popen.wait(20) == 0
    assert (tmp_path / "it.out").read_text().strip() == str(odd)


def test_a_recycled_pid_is_left_alone(registry: Registry, tmp_path: Path) -> None:
    process = started(registry, tmp_path)
    (registry.folder / "other").write_text(f"{process.pid} {int(process.start) - 1} {boot_id()}")
    (registry.folder / "it").unlink()
    assert registry.end_all() == ()
    assert process.alive
    process.end()


def test_a_record_of_another_boot_names_nobody(registry: Registry, tmp_path: Path) -> None:
    process = started(registry, tmp_path)
    assert not Process("it", process.pid, process.start, "another-boot").alive


def test_a_zombie_counts_as_gone(registry: Registry, tmp_path: Path) -> None:
    popen = registry.start("it", SLEEP, log=tmp_path / "it")
    wait_until(lambda: registry.get("it"))
    process = registry.get("it")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].startswith("Z"))
    assert not process.alive
    popen.wait()


def test_a_frozen_process_is_ended_too(registry: Registry, tmp_path: Path) -> None:
    process = started(registry, tmp_path)
    process.signal(signal.SIGSTOP)
    assert [ended.pid for ended in registry.end_all()] == [process.pid]
    assert not process.alive


def test_a_process_whose_folder_is_gone_never_becomes_the_program(registry: Registry, tmp_path: Path) -> None:
    registry.folder.mkdir(parents=True)
    argv = registry.recorded("late", ["/bin/sh", "-c", "echo ran"])
    registry.end_all()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (75, "")
    assert "this lab has ended" in done.stderr


KILLED_STARTER = """
    import sys, time
    from pathlib import Path
    from lab.places import session
    from lab.process import Registry
    registry = Registry(session() / "lab" / "processes" / "run")
    registry.start("server", ["/bin/sleep", "600"], log=session() / "log")
    while not registry.get("server"):
        time.sleep(0.01)
    print(registry.get("server").pid, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_session_left_is_ended_by_the_next_start(base: Path) -> None:
    argv = [sys.executable, "-c", textwrap.dedent(KILLED_STARTER)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=places.REPO) as starter:
        assert starter.stdout is not None
        server = int(starter.stdout.readline())
        folders = list((base / "tests").iterdir())
        sweep()
        assert start_time(server), "a living session's server must not be touched"
        starter.kill()
    assert start_time(server), "the server outlives its killed starter"
    sweep()
    assert start_time(server) is None
    assert len(folders) == 1
    assert not folders[0].exists()


def test_an_owned_process_sees_the_end_of_its_owner(registry: Registry, tmp_path: Path) -> None:
    popen = registry.start("it", ["/bin/cat"], log=tmp_path / "it", owned=True)
    assert popen.stdin is not None
    popen.stdin.close()
    assert popen.wait(20) == 0


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path / "x"), FolderLock(tmp_path / "x")
    assert first.try_acquire()
    assert not second.try_acquire()
    with pytest.raises(LabError, match="held by another process"):
        second.acquire(0.2)
    first.release()
    assert second.try_acquire()
    second.release()


def test_an_unfinished_download_is_thrown_away_and_made_again(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = base / "cache" / ".draft-1"
    half.mkdir(parents=True)
    (half / "half.jar").touch()
    pom = places.HERE / "poms" / "hbase-2.4.18.xml"

    def fails(argv: list[str], what: str) -> None:
        raise LabError(what)

    monkeypatch.setattr(jars, "_run", fails)
    with pytest.raises(Unavailable, match=r"could not fetch the jars of hbase-2\.4\.18\.xml"):
        jars.class_path(pom)
    assert not half.exists()
    assert not list((base / "cache").glob("hbase-*"))
    monkeypatch.setattr(jars, "_run", lambda argv, what: None)
    assert jars.class_path(pom).parent.is_dir()
    assert not list((base / "cache").glob(".draft-*"))


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unavailable, match=r"a Java 17 runtime \(java\).*Maven \(mvn\)"):
        jars.require_tools()


def test_ports_are_free_different_and_outside_the_ephemeral_range() -> None:
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    chosen = free_ports(site.CLUSTER_PORTS)
    assert len(set(chosen.values())) == len(site.CLUSTER_PORTS)
    assert max(chosen.values()) < ephemeral


def test_every_address_in_the_configuration_is_of_the_loopback() -> None:
    ports = {name: 20_000 + number for number, name in enumerate(site.CLUSTER_PORTS)}
    text = "".join(site.files("source", ports, Path("/data"), 2).values())
    assert "0.0.0.0" not in text
    assert "<value>127.0.0.1:20003</value>" in text


def test_the_commands_take_a_path_with_blanks_and_quotes(tmp_path: Path) -> None:
    records = tmp_path / "it's a run"
    records.mkdir()
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\nprintf "%s\\n" "$HBASE_CONF_DIR" "$@"\n')
    java.chmod(0o755)
    edge.Commands(tmp_path / "my conf", "a b:c", ("-Dx=y z",), records).write(tmp_path / "tools")
    env = {"PATH": f"{java.parent}:{os.environ['PATH']}"}
    argv = [str(tmp_path / "tools" / "hbase"), "org.jruby.Main", "my agent.rb"]
    out = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert out == [str(tmp_path / "my conf"), "-Dx=y z", "-Xmx256m", "-cp", "a b:c", "org.jruby.Main", "my agent.rb"]
    assert len(list(records.iterdir())) == 1


def test_a_cluster_without_processes_is_not_running(tmp_path: Path) -> None:
    ports = dict.fromkeys(site.CLUSTER_PORTS, 1)
    cluster = Cluster("source", tmp_path, ports, tmp_path, tmp_path, tmp_path / "records", 2)
    assert not cluster.running
    with pytest.raises(LabError, match="source cluster is not running"):
        _ = cluster.pid
    assert end_leftovers(tmp_path) == 0
