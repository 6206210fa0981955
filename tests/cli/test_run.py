"""`run`: step after step, up to what has to be confirmed; refusals say how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.pair import CONFIG, Pair

from hbase_ferry.model.cluster import Side

pytestmark = pytest.mark.filterwarnings("error")


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_it_stops_before_each_step_that_must_be_named_and_the_line_it_prints_goes_on(pair: Pair) -> None:
    words = ["run", "CONFIG"]
    stops = []
    for _ in range(10):
        result = pair.run(*words)
        if result.exit_code == 0:
            break
        assert result.exit_code == 3, result.stderr
        assert pair.states()["put-back"] != "done"
        told = last_line(result.stderr)
        assert told.startswith(f"go on with: hbase-ferry run {pair.config} ")
        words = told.removeprefix("go on with: hbase-ferry ").split()
        stops.append(words[-1])
        assert f"stopped before {stops[-1]} (" in result.stderr
    assert stops == ["stop-writers", "switch", "remove-peer", "delete-snapshots"]
    assert set(pair.states().values()) == {"done"}
    assert pair.run("run", "CONFIG").exit_code == 0, "a finished migration has nothing left to do"


def test_nothing_of_an_unnamed_step_is_sent(pair: Pair) -> None:
    assert pair.run("run", "CONFIG").exit_code == 3
    assert {e["step"] for e in pair.events()}.isdisjoint({"stop-writers", "drained", "switch", "remove-peer"})
    assert pair.world.writers, "the clients still write"
    peers = pair.json("status", "CONFIG")["source"]["peers"]
    assert any(found["peer"]["id"] == "ferry_orders" and found["peer"]["enabled"] for found in peers)


def test_until_ends_after_the_named_step(pair: Pair) -> None:
    result = pair.run("run", "CONFIG", "--until", "add-peer")
    assert result.exit_code == 0
    assert "step-done     add-peer" in result.stdout
    states = pair.states()
    assert states["add-peer"] == "done" and states["scope:shop:orders"] != "done"


def test_one_step_alone_runs_only_in_its_turn(pair: Pair) -> None:
    early = pair.run("run", "CONFIG", "--step", "enable-peer")
    assert early.exit_code == 3
    assert "refused: step preflight comes before enable-peer" in early.stderr
    assert pair.run("run", "CONFIG", "--step", "preflight").exit_code == 0
    assert {event["step"] for event in pair.events()} == {"enable-peer", "preflight"}


def test_a_step_is_taken_back_and_the_peer_only_when_it_is_named(pair: Pair) -> None:
    pair.run("run", "CONFIG", "--until", "add-peer")
    unnamed = pair.run("run", "CONFIG", "--undo", "add-peer")
    assert unnamed.exit_code == 3
    told = last_line(unnamed.stderr).removeprefix("go on with: hbase-ferry ").split()
    assert told == ["run", str(pair.config), "--undo", "add-peer", "--confirm", "add-peer"]
    result = pair.run(*told)
    assert result.exit_code == 0, result.stderr
    assert "undone: add peer ferry_orders, DISABLED" in result.stdout
    assert [found["peer"]["id"] for found in pair.json("status", "CONFIG")["source"]["peers"]] == [
        "dr_backup"
    ]


def test_a_closed_gate_names_itself_and_can_be_accepted_with_a_reason(pair: Pair) -> None:
    pair.run("run", "CONFIG", "--until", "namespaces")
    pair.config.write_text(pair.config.read_text() + "gates: {min_free_fraction: 0.99}\n")
    refused = pair.run("run", "CONFIG", "--until", "add-peer")
    assert refused.exit_code == 3
    assert "refused: 63% of prod-bj's disk is free, 99% is the least" in refused.stderr
    assert "gate disk.free can be accepted with: --accept disk.free=REASON" in refused.stderr
    assert last_line(refused.stderr).startswith("once that is mended, go on with: hbase-ferry run ")
    accepted = pair.run(
        "run", "CONFIG", "--until", "add-peer", "--accept", "disk.free=the disk grows tonight"
    )
    assert accepted.exit_code == 0, accepted.stderr
    assert "gate disk.free waived: the disk grows tonight" in accepted.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["--until", "ad-peer"],
            2,
            'command line: --until: there is no step "ad-peer"; did you mean add-peer?',
        ),
        (
            ["--confirm", "swich"],
            2,
            'command line: --confirm: there is no step "swich"; did you mean switch?',
        ),
        (["--undo", "xyzzy"], 2, 'there is no step "xyzzy"; steps are: preflight, '),
        (["--until", "switch", "--step", "switch"], 2, "--until, --step and --undo exclude each other"),
        (["--accept", "disk.free"], 2, "command line: --accept: write GATE=REASON, not disk.free"),
        (["--accept", "disk.fre=because"], 3, "refused: gate disk.fre cannot be waived; gates that can: "),
        (["--accept", "disk.free=x"], 3, "refused: gate disk.free is waived with a reason of at least three"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_sent(
    pair: Pair, words: list[str], code: int, said: str
) -> None:
    result = pair.run("run", "CONFIG", *words)
    assert result.exit_code == code
    assert said in result.stderr
    assert all(event["kind"] != "intent" for event in pair.events())


def test_a_side_that_does_not_answer_is_5_and_nothing_is_sent(pair: Pair) -> None:
    pair.world.fault(Side.TARGET, "unreachable")
    result = pair.run("run", "CONFIG")
    assert result.exit_code == 5
    assert "not reached: emr6 (target): " in result.stderr
    assert last_line(result.stderr) == f"once that is mended, go on with: hbase-ferry run {pair.config}"
    assert pair.events() == []


def test_a_job_that_fails_is_4_and_the_next_run_begins_it_anew(pair: Pair) -> None:
    assert pair.run("run", "CONFIG", "--until", "release-splits").exit_code == 0
    pair.world.faults.later(2.5, Side.SOURCE, "job_fails", job="000007-export-1-1")
    failed = pair.run("run", "CONFIG", "--until", "export:shop:orders")
    assert failed.exit_code == 4, failed.stderr
    assert (
        "failed: export:shop:orders: job 000007-export-1-1 on prod-bj ended with exit code" in failed.stderr
    )
    again = pair.run("run", "CONFIG", "--until", "export:shop:orders")
    assert again.exit_code == 0, again.stderr


def test_with_json_stdout_is_events_alone(pair: Pair) -> None:
    result = pair.run("run", "CONFIG", "--until", "queues", "--json")
    events = pair.parsed(result.stdout)
    assert events[0]["kind"] == "step-started" and events[-1]["step"] == "queues"
    assert {"progress", "intent", "sent", "step-done"} <= {event["kind"] for event in events}
    assert set(events[0]) == {"number", "at", "kind", "step", "text", "data"}


def test_ctrl_c_ends_the_watching_with_130_and_says_what_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "demo.yaml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "hbase_ferry", "run", str(config)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if "step-started" in line and "queues" in line:
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert "stopping after this look at the clusters; Ctrl-C again to leave at once" in said
    assert "peer ferry_orders goes on holding every new write back on the source's disk" in said
    assert last_line(said) == f"go on with: hbase-ferry run {config}"
    assert "Traceback" not in said
