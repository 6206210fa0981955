"""The connection against an agent that misbehaves: a real child process that speaks the framing."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hbase_ferry.cluster.connection import AgentConnection
from hbase_ferry.errors import AgentError, BadAnswer, DeadlineExceeded, Unreachable
from hbase_ferry.remote.local import LocalChannel, LocalMachine

FAKE = Path(__file__).with_name("fake_agent.py")
Opener = Callable[..., AgentConnection]


@pytest.fixture
def channels() -> Iterator[list[LocalChannel]]:
    made: list[LocalChannel] = []
    yield made
    for channel in made:
        channel.close(kill=True)


@pytest.fixture
def agent(channels: list[LocalChannel]) -> Opener:
    def start(mode: str = "", **options: float) -> AgentConnection:
        channel = LocalMachine().start([sys.executable, str(FAKE), "nonce1", mode], {})
        channels.append(channel)
        return AgentConnection(channel, "nonce1", "edge01", **options)

    return start


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def gone(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_hello_says_what_runs_over_there(agent: Opener) -> None:
    assert agent().hello.hbase_version == "2.6.1"


def test_noise_around_the_lines_is_ignored(agent: Opener) -> None:
    connection = agent("noisy-start")
    assert connection.call("noise", {"a": 1}, 5) == {"a": 1}


def test_lines_that_are_not_json_or_nobodys_answer_are_ignored(agent: Opener) -> None:
    assert agent().call("garbage", {"a": 2}, 5) == {"a": 2}


def test_answers_out_of_order_reach_their_callers(agent: Opener) -> None:
    connection = agent()
    thread, outcome = in_thread(lambda: connection.call("later", {"who": "first"}, 10))
    assert wait_for(lambda: len(connection._waiting) == 1)
    assert connection.call("echo", {"who": "second"}, 10) == {"who": "second"}
    thread.join(10)
    assert outcome == [{"who": "first"}]


def test_fifty_threads_get_their_own_answers(agent: Opener) -> None:
    connection = agent()
    calls = [in_thread(lambda n=n: connection.call("echo", {"n": n}, 20)) for n in range(50)]
    for n, (thread, outcome) in enumerate(calls):
        thread.join(20)
        assert outcome == [{"n": n}]


def test_a_call_ends_by_its_deadline_and_a_late_answer_is_dropped(agent: Opener) -> None:
    connection = agent()
    with pytest.raises(DeadlineExceeded, match=r"edge01: later: no answer within 0\.2 s"):
        connection.call("later", {"late": True}, 0.2)
    assert connection.call("echo", {"n": 1}, 5) == {"n": 1}  # behind it comes the late answer
    assert connection.call("echo", {"n": 2}, 5) == {"n": 2}


def test_the_deadline_of_a_change_says_that_its_effect_is_not_known(agent: Opener) -> None:
    connection = agent("no-answers")
    thread, outcome = in_thread(lambda: connection.call("hang", {}, 20))
    assert wait_for(lambda: len(connection._waiting) == 1)
    with pytest.raises(DeadlineExceeded, match="whether it had an effect is not known"):
        connection.call("peer.enable", {"id": "p"}, 0.2)
    connection.close()
    thread.join(10)
    assert isinstance(outcome[0], Unreachable)


def test_a_huge_answer_arrives_whole(agent: Opener) -> None:
    size = 20_000_000
    assert len(str(agent().call("huge", {"bytes": size}, 30))) == size


def test_a_line_beyond_all_bounds_ends_the_connection(agent: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hbase_ferry.remote.channel.MAX_LINE", 1_000_000)
    with pytest.raises(Unreachable, match="a line of more than 1000000 bytes"):
        agent().call("huge", {"bytes": 3_000_000}, 30)


def test_an_answer_that_comes_byte_by_byte_is_put_together(agent: Opener) -> None:
    assert agent().call("trickle", {}, 10) == "x" * 50


def test_an_error_carries_class_and_text_and_both_are_made_safe(agent: Opener) -> None:
    with pytest.raises(AgentError) as caught:
        agent().call("error", {}, 5)
    assert caught.value.kind == "org.apache.hadoop.hbase.TableExistsException\\x1b[2J"
    assert (caught.value.text, caught.value.method, caught.value.cluster) == ("t1\\u202e", "error", "edge01")


def test_an_answer_with_neither_result_nor_error_is_a_bad_answer(agent: Opener) -> None:
    with pytest.raises(BadAnswer, match="neither result nor error"):
        agent().call("no-result", {}, 5)


def test_a_dying_agent_fails_every_waiting_call_and_its_last_words_are_quoted(agent: Opener) -> None:
    connection = agent()
    thread, outcome = in_thread(lambda: connection.call("never", {}, 30))
    assert wait_for(lambda: len(connection._waiting) == 1)
    with pytest.raises(Unreachable, match=r"ended with exit code 3 \(stderr: .*OutOfMemoryError: Java heap space"):
        connection.call("die", {}, 30)
    thread.join(10)
    assert isinstance(outcome[0], Unreachable)
    assert "\x1b" not in str(outcome[0])
    with pytest.raises(Unreachable, match="exit code 3"):
        connection.call("echo", {}, 5)


def test_an_agent_that_does_not_start_says_why(agent: Opener) -> None:
    with pytest.raises(Unreachable, match=r"exit code 1 \(stderr: Error: Could not find or load main class"):
        agent("dies")


def test_a_command_that_does_not_exist_is_named() -> None:
    with pytest.raises(Unreachable, match="cannot start /no/such/hbase"):
        LocalMachine().start(["/no/such/hbase"], {})


def test_an_agent_without_hello_is_ended_by_the_hello_deadline(agent: Opener, channels: list[LocalChannel]) -> None:
    with pytest.raises(Unreachable, match=r"did not say hello within 0\.3 s"):
        agent("silent", hello_within=0.3)
    assert wait_for(lambda: channels[0].exit_code() is not None)


def test_a_hello_with_another_nonce_is_noise_and_is_quoted(agent: Opener) -> None:
    with pytest.raises(Unreachable, match=r"did not say hello .*\(output: a banner"):
        agent("wrong-nonce", hello_within=0.5)


def test_a_hung_agent_is_noticed_by_the_ping_and_killed(agent: Opener, channels: list[LocalChannel]) -> None:
    connection = agent(ping_every=0.2, ping_deadline=0.5)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"nothing came back for 0\.5 s after a ping"):
        connection.call("hang", {}, 30)
    assert time.monotonic() - began < 10
    assert wait_for(lambda: gone(channels[0].pid))


def test_a_frozen_agent_is_noticed_too(agent: Opener, channels: list[LocalChannel]) -> None:
    connection = agent(ping_every=0.2, ping_deadline=0.5)
    os.kill(channels[0].pid, signal.SIGSTOP)
    with pytest.raises(Unreachable, match="after a ping"):
        connection.call("echo", {}, 30)
    assert wait_for(lambda: gone(channels[0].pid))


def test_an_idle_agent_that_answers_pings_stays(agent: Opener) -> None:
    connection = agent(ping_every=0.05, ping_deadline=5.0)
    before = connection._channel.heard
    assert wait_for(lambda: connection._channel.heard > before + 0.1)
    assert connection.call("echo", {"n": 1}, 5) == {"n": 1}


def test_closing_ends_the_process_and_the_waiting_calls(agent: Opener, channels: list[LocalChannel]) -> None:
    connection = agent()
    thread, outcome = in_thread(lambda: connection.call("never", {}, 30))
    assert wait_for(lambda: len(connection._waiting) == 1)
    connection.close()
    thread.join(10)
    assert isinstance(outcome[0], Unreachable)
    assert wait_for(lambda: gone(channels[0].pid))


def test_the_agent_does_not_share_our_process_group(agent: Opener, channels: list[LocalChannel]) -> None:
    agent()
    assert os.getpgid(channels[0].pid) == channels[0].pid != os.getpgid(0)


def test_a_request_whose_caller_gave_up_before_it_was_written_is_never_sent(
    agent: Opener, channels: list[LocalChannel], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = agent()
    sent: list[bytes] = []
    writing, go_on = threading.Event(), threading.Event()
    send = channels[0].send

    def slowly(data: bytes) -> None:
        sent.append(data)
        writing.set()
        go_on.wait(10)
        send(data)

    monkeypatch.setattr(channels[0], "send", slowly)
    thread, outcome = in_thread(lambda: connection.call("echo", {"n": 1}, 20))
    assert writing.wait(10)
    with pytest.raises(DeadlineExceeded):
        connection.call("peer.remove", {"id": "p"}, 0.1)
    go_on.set()
    thread.join(20)
    assert outcome == [{"n": 1}]
    assert connection.call("echo", {"n": 2}, 10) == {"n": 2}
    assert [b"peer.remove" in line for line in sent] == [False, False]
