"""The agent as a process on a real edge node: what waits for what, what outlives what, what reaches stdout."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.connection import AgentConnection, _Waiting, connect
from hbase_ferry.errors import AgentError, Unreachable
from hbase_ferry.migration.settings import SideSettings, SshSettings, TransportKind
from hbase_ferry.model.clock import SystemClock
from hbase_ferry.model.cluster import PARTS, Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import JobPhase
from hbase_ferry.model.watch import Watch
from hbase_ferry.remote.local import LocalChannel, LocalMachine
from lab import Cluster as LabCluster
from lab import Lab

pytestmark = pytest.mark.lab
AGENT = Path(__file__).parents[2] / "src" / "hbase_ferry" / "cluster" / "agent.rb"


def side_of(server: LabCluster, **changes: Any) -> SideSettings:
    given = {"name": server.name, "hbase": (server.hbase,), "env": server.env, "work_dir": str(server.work_dir)}
    return SideSettings(**{**given, **changes})


@pytest.fixture
def agent(lab: Lab) -> Iterator[AgentConnection]:
    connection = connect(side_of(lab.source))
    yield connection
    connection.close()


def cluster_id(connection: AgentConnection) -> str:
    identity = connection.call("cluster.identity", {}, 60)
    assert isinstance(identity, dict)
    return str(identity["cluster_id"])


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    until = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    return value


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def test_a_change_that_takes_long_delays_neither_reads_nor_other_changes(agent: AgentConnection) -> None:
    """add_peer towards a ZooKeeper that is not there takes 18 s and more."""
    pin = {"expect_cluster_id": cluster_id(agent)}
    agent.call("peers.list", {"max": 1}, 30)
    slow: list[Exception] = []

    def add() -> None:
        peer: dict[str, Json] = {"id": "slow", "cluster_key": "localhost:1:/x", "table_cfs": {"a:b": []}}
        try:
            agent.call("peer.add", {**peer, **pin}, 90)
        except AgentError as error:
            slow.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    worst = 0.0
    for _ in range(20):
        began = time.monotonic()
        agent.call("peers.list", {"max": 1}, 30)
        with pytest.raises(AgentError, match="nobody"):
            agent.call("peer.disable", {"id": "nobody", **pin}, 30)
        worst = max(worst, time.monotonic() - began)
    assert thread.is_alive() and worst < 5
    thread.join(90)
    assert "Can't get peerClusterId" in str(slow[0])


def test_a_change_that_waited_longer_than_its_caller_is_not_begun(agent: AgentConnection) -> None:
    waiting = _Waiting("namespace.create")
    agent._enqueue(waiting, "namespace.create", {"name": "late", "expect_cluster_id": cluster_id(agent)}, -1.0)
    assert waiting.done.wait(30)
    assert isinstance(waiting.error, AgentError) and waiting.error.kind == "hbase_ferry.Expired"
    assert "late" not in str(agent.call("namespaces.list", {"max": 100}, 30))


def test_the_agent_ends_when_its_stdin_does(agent: AgentConnection) -> None:
    agent.call("peers.list", {"max": 1}, 30)
    pid = agent.hello.pid
    agent.close()
    assert wait_for(lambda: gone(pid))


def test_what_was_begun_is_finished_after_the_end_of_stdin(lab: Lab, agent: AgentConnection) -> None:
    pin = {"expect_cluster_id": cluster_id(agent)}
    agent._enqueue(_Waiting("namespace.create"), "namespace.create", {"name": "finished", **pin}, 60.0)
    assert wait_for(agent._out.empty)
    agent.close()
    after = connect(side_of(lab.source))
    assert wait_for(lambda: "finished" in str(after.call("namespaces.list", {"max": 100}, 30)))
    after.call("namespace.delete", {"name": "finished", **pin}, 60)
    after.close()


def test_an_agent_to_whom_nobody_speaks_ends_itself(lab: Lab) -> None:
    argv = [lab.source.hbase, "org.jruby.Main", str(AGENT), "n", "--idle", "1"]
    channel = LocalMachine().start(argv, lab.source.env)
    assert [line.startswith(b"@@n ") for line in channel.lines()] == [True]
    assert channel.exit_code() == 0
    channel.close()


def raw_agent(lab: Lab) -> LocalChannel:
    return LocalMachine().start([lab.source.hbase, "org.jruby.Main", str(AGENT), "n"], lab.source.env)


def test_nothing_but_marked_lines_reaches_stdout(lab: Lab) -> None:
    channel = raw_agent(lab)
    methods = ("cluster.identity", "tables.list", "peers.list", "replication.load", "snapshots.list", "ping")
    for number, method in enumerate(methods):
        channel.send(f'{{"id":{number},"method":"{method}","params":{{}}}}\n'.encode())
    channel.send(b'not json\n[1]\n{"id":9,"method":"peers.list","params":[]}\n{"id":10}\n')
    lines = channel.lines()
    found = [next(lines) for _ in range(len(methods) + 5)]
    channel.close()
    assert [line for line in found if not line.startswith(b"@@n ")] == []
    codes = (b"-32600", b"-32601", b"-32602", b"-32700")
    assert [code for code in codes if any(code in line for line in found)] == list(codes)


def test_a_wrapper_that_talks_on_stdout_does_no_harm(lab: Lab) -> None:
    script = 'echo "Welcome to edge01 @@ {}"; exec "$0" org.jruby.Main "$@"'
    connection = connect(side_of(lab.source, agent=("sh", "-c", script, lab.source.hbase)))
    assert connection.call("ping", {}, 30)
    connection.close()


def test_a_wrapper_that_fails_is_quoted(lab: Lab) -> None:
    with pytest.raises(Unreachable, match=r"source: .*exit code 9 \(stderr: no kerberos ticket"):
        connect(side_of(lab.source, agent=("sh", "-c", "echo no kerberos ticket >&2; exit 9")))


def test_a_job_outlives_a_killed_agent_and_is_found_again_and_not_doubled(lab: Lab, agent: AgentConnection) -> None:
    pin: dict[str, Json] = {"expect_cluster_id": cluster_id(agent)}
    count = lab.source.work_dir / "count"
    job: dict[str, Json] = {"id": "outlives", "argv": ["sh", "-c", f"echo ran >> {count}; sleep 2; exit 5"], "env": {}}
    started = agent.call("job.start", {**job, **pin}, 60)
    assert isinstance(started, dict) and started["phase"] == "running"
    os.killpg(os.getpgid(agent.hello.pid), signal.SIGKILL)
    assert wait_for(lambda: gone(agent.hello.pid))
    with Clustered(side_of(lab.source)) as cluster:
        cluster.pin(str(pin["expect_cluster_id"]))
        cluster.call("job.start", job)
        ended = wait_for(lambda: (s := cluster.call("job.state", {"id": "outlives"})).phase is JobPhase.DONE and s)
        assert (ended.exit_code, count.read_text()) == (5, "ran\n")


def test_counters_and_application_are_read_from_a_jobs_own_output(lab: Lab, agent: AgentConnection) -> None:
    out = (
        "2026-01-01T00:00:00,000 INFO  [main] impl.YarnClientImpl: Submitted application "
        "application_1700000000000_0042\n"
        "2026-01-01T00:00:09,000 INFO  [main] mapreduce.Job:  map 100% reduce 0%\n"
        "2026-01-01T00:00:09,100 INFO  [main] mapreduce.Job: Counters: 3\n"
        "\tFile System Counters\n\t\tFILE: Number of bytes read=17\n"
        "\torg.apache.hadoop.hbase.mapreduce.SyncTable$SyncMapper$Counter\n\t\tHASHESMATCHED=8\n\t\tBATCHES=9\n\n"
        "2026-01-01 00:00:10 WARN  SyncTableJob:161 - cbt-dataflow-validate:ranges_matched:1573\n"
        "2026-01-01 00:00:10 WARN  SyncTableJob:161 - cbt-dataflow-validate:ranges_not_matched:2\n"
        "see http://localhost:8080 or localhost:8020:17 at 10:00:42\n"
    )
    pin: dict[str, Json] = {"expect_cluster_id": cluster_id(agent)}
    job: dict[str, Json] = {"id": "counted", "argv": ["printf", "%s\nd\xe9j\xe0 vu\n", out], "env": {}}
    agent.call("job.start", {**job, **pin}, 60)
    with Clustered(side_of(lab.source)) as cluster:
        state = wait_for(lambda: (s := cluster.call("job.state", {"id": "counted"})).phase is JobPhase.DONE and s)
        assert state.counters == {
            "FILE: Number of bytes read": 17, "HASHESMATCHED": 8, "BATCHES": 9,
            "ranges_matched": 1573, "ranges_not_matched": 2,
        }  # fmt: skip
        assert state.application_id == "application_1700000000000_0042"
        assert (len(state.tail), state.tail[-1]) == (5, "d\xe9j\xe0 vu")
        size = state.output_bytes
        text, offset = "", 0
        while offset < size:  # every cut falls somewhere else, some inside a character
            part = cluster.call("job.read", {"id": "counted", "offset": offset, "max": 7})
            assert part.next_offset > offset
            text, offset = text + part.text, part.next_offset
        assert text.endswith("d\xe9j\xe0 vu\n") and "\ufffd" not in text


class Clustered:
    """A Cluster on an agent of its own, closed at the end."""

    def __init__(self, side: SideSettings, **options: Any) -> None:
        self.cluster = Cluster(Side.SOURCE, side.name, lambda: connect(side), SystemClock(), **options)

    def __enter__(self) -> Cluster:
        return self.cluster

    def __exit__(self, *_: object) -> None:
        self.cluster.close()


def test_a_look_at_a_frozen_cluster_comes_back_in_time_and_the_agent_stays(lab: Lab) -> None:
    with Clustered(side_of(lab.target), patience=2.0) as cluster:
        first = cluster.look(Watch())
        assert wait_for(lambda: all(getattr(cluster.look(Watch()), part).error is None for part in PARTS), 60)
        wire = cluster._open()
        lab.target.freeze()
        try:
            began = time.monotonic()
            frozen = cluster.look(Watch(), first)
            assert time.monotonic() - began < 10
            assert frozen.peers.error and frozen.tables.error and frozen.load.error
            assert wire.call("ping", {}, 10)
        finally:
            lab.target.thaw()
        assert wait_for(lambda: all(getattr(cluster.look(Watch()), part).error is None for part in PARTS), 90)
        assert cluster._open() is wire


def test_the_agent_answers_over_ssh_and_ends_with_the_connection(lab: Lab) -> None:
    ssh = lab.source.ssh
    if ssh is None:
        pytest.skip("no sshd on this machine: install openssh-server")
    settings = SshSettings(ssh.host, ssh.port, ssh.user, ssh.key_file, ssh.known_hosts)
    side = side_of(lab.source, transport=TransportKind.SSH, ssh=settings)
    with Clustered(side) as cluster:
        assert wait_for(lambda: all(getattr(cluster.look(Watch()), part).error is None for part in PARTS), 90)
        wire = cluster._open()
        assert isinstance(wire, AgentConnection)
        pid = wire.hello.pid
    assert wait_for(lambda: gone(pid))
