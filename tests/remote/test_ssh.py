"""The SSH transport against a real sshd: keys, installing, the channel, and peers that fall silent."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from private_sshd import Sshd, free_port

from hbase_ferry.cluster.connection import AgentConnection
from hbase_ferry.errors import Unreachable
from hbase_ferry.remote.ssh import SshMachine

FAKE = Path(__file__).parents[1] / "cluster" / "fake_agent.py"
FILES = {"agent-1.rb": b"puts 'a'\n$x = \"`$(id)`\"\n", "it's.sh": b"echo \\n\n"}


@pytest.fixture
def machine(sshd: Sshd) -> Iterator[SshMachine]:
    made = SshMachine(sshd.settings())
    yield made
    made.close()


def refused(sshd: Sshd, **changes: object) -> str:
    machine = SshMachine(sshd.settings(**changes))
    with pytest.raises(Unreachable) as caught:
        machine.start(["true"], {})
    machine.close()
    return str(caught.value)


def test_a_host_nobody_vouches_for_is_refused(sshd: Sshd) -> None:
    sshd.known_hosts.write_text("")
    assert "refused: no line names this host" in refused(sshd)


def test_a_changed_host_key_is_refused(sshd: Sshd) -> None:
    sshd.known_hosts.write_text(sshd.line("other"))
    assert "refused: the host is known with another key" in refused(sshd)


def test_a_revoked_host_key_is_refused(sshd: Sshd) -> None:
    sshd.known_hosts.write_text(sshd.line() + "@revoked " + sshd.line(host="*"))
    assert "refused: the key is marked @revoked" in refused(sshd)


def test_a_missing_known_hosts_file_is_named(sshd: Sshd) -> None:
    assert "/no/known_hosts is not a file" in refused(sshd, known_hosts="/no/known_hosts")


def test_lines_of_other_kinds_do_not_keep_us_from_a_known_host(sshd: Sshd) -> None:
    others = "@cert-authority " + sshd.line("other", "*") + "@revoked " + sshd.line("other", "elsewhere")
    sshd.known_hosts.write_text(others + sshd.line(host=f"[127.0.0.?]:{sshd.port}"))
    SshMachine(sshd.settings()).start(["true"], {}).close()


def test_a_host_known_by_its_rsa_key_alone_is_asked_for_that_one(sshd: Sshd) -> None:
    sshd.known_hosts.write_text(sshd.line("rsa"))
    SshMachine(sshd.settings()).start(["true"], {}).close()


def test_a_refused_login_says_so(sshd: Sshd) -> None:
    assert "the login was refused" in refused(sshd, key_file=str(sshd.folder / "other"), user="root")


def test_a_port_where_nobody_listens_is_unreachable(sshd: Sshd) -> None:
    assert "refused" in refused(sshd, port=free_port()).lower()


def test_a_server_that_says_nothing_ends_by_the_deadline(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        refused(sshd, port=mute.getsockname()[1], connect_timeout_seconds=1.0)
        assert time.monotonic() - began < 10


def test_files_arrive_whole_in_a_private_folder(machine: SshMachine, tmp_path: Path) -> None:
    folder = machine.install(str(tmp_path / "a b" / "$(x)'"), FILES)
    assert folder == str(tmp_path / "a b" / "$(x)'")
    assert {path.name: path.read_bytes() for path in Path(folder).iterdir()} == FILES
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    assert {stat.S_IMODE((Path(folder) / name).stat().st_mode) for name in FILES} == {0o600}


def test_a_file_that_is_already_there_with_other_content_is_not_trusted(machine: SshMachine, tmp_path: Path) -> None:
    (tmp_path / "agent-1.rb").write_text("evil")
    machine.install(str(tmp_path), FILES)
    assert (tmp_path / "agent-1.rb").read_bytes() == FILES["agent-1.rb"]


def test_the_home_is_the_one_over_there(machine: SshMachine) -> None:
    name = f".hbase-ferry-test-{os.getpid()}"
    folder = Path(machine.install(f"~/{name}", {"x.sh": b"true\n"}))
    try:
        assert folder == Path.home().resolve() / name
    finally:
        (folder / "x.sh").unlink()
        folder.rmdir()


def test_a_folder_that_cannot_be_made_says_why(machine: SshMachine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable, match=r"cannot put the agent into .*[Nn]ot a directory"):
        machine.install(str(tmp_path / "file" / "x"), FILES)


def test_arguments_and_environment_arrive_unharmed(machine: SshMachine) -> None:
    hostile = ["a b", "$(id)", "'", '"', "`x`", "*", "", "a\nb", ";exit 9"]
    code = "import os, sys, json; print(json.dumps([sys.argv[1:], os.environ['FERRY']]))"
    channel = machine.start([sys.executable, "-c", code, *hostile], {"FERRY": "x; y 'z'"})
    assert json.loads(next(channel.lines())) == [hostile, "x; y 'z'"]


def test_no_terminal_is_allocated(machine: SshMachine) -> None:
    channel = machine.start([sys.executable, "-c", "import os; print([os.isatty(n) for n in range(3)])"], {})
    assert list(channel.lines()) == [b"[False, False, False]"]


def test_the_exit_code_and_the_last_words_are_known(machine: SshMachine) -> None:
    channel = machine.start(["sh", "-c", "echo out; echo bad >&2; exit 7"], {})
    assert list(channel.lines()) == [b"out"]
    assert (channel.exit_code(), channel.errors()) == (7, "bad")


def test_an_agent_answers_over_ssh(machine: SshMachine) -> None:
    connection = AgentConnection(machine.start([sys.executable, str(FAKE), "n"], {}), "n", "edge")
    assert connection.call("echo", {"a": "é\u202e"}, 10) == {"a": "é\u202e"}
    assert len(str(connection.call("huge", {"bytes": 3_000_000}, 30))) == 3_000_000
    connection.close()


def test_closing_ends_the_process_over_there(machine: SshMachine) -> None:
    connection = AgentConnection(machine.start([sys.executable, str(FAKE), "n"], {}), "n", "edge")
    pid = connection.hello.pid
    connection.close()
    assert ends(pid)


@pytest.mark.parametrize("what", ["sshd", "agent"])
def test_a_frozen_peer_is_noticed_by_the_ping(sshd: Sshd, what: str) -> None:
    before = set(sshd.sessions())
    machine = SshMachine(sshd.settings())
    channel = machine.start([sys.executable, str(FAKE), "n"], {})
    connection = AgentConnection(channel, "n", "edge", ping_every=0.2, ping_deadline=1.0)
    frozen = [connection.hello.pid] if what == "agent" else list(set(sshd.sessions()) - before)
    assert frozen
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(Unreachable, match=r"nothing came back for 1 s after a ping"):
            connection.call("echo", {}, 60)
        assert time.monotonic() - began < 15
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert ends(connection.hello.pid)


def test_a_freeze_while_installing_ends_by_the_deadline(
    sshd: Sshd, machine: SshMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hbase_ferry.remote.ssh.INSTALL_SECONDS", 1.0)
    before = set(sshd.sessions())
    machine._transport()
    for pid in set(sshd.sessions()) - before:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="installing the agent: no answer within 1 s"):
        machine.install(str(tmp_path), FILES)
    assert time.monotonic() - began < 15


def test_no_thread_outlives_a_closed_machine(sshd: Sshd) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        AgentConnection(SshMachine(sshd.settings()).start([sys.executable, str(FAKE), "n"], {}), "n", "e").close()
    until = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.05)
    assert not set(threading.enumerate()) - before


def ends(pid: int, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False
