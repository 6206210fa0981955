"""The whole crossing without a screen, on the simulated clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from unittest.mock import create_autospec

import pytest
from tests.cli.pair import Pair

from hbase_ferry.cluster.simulator.embedded import demo_settings
from hbase_ferry.console import app
from hbase_ferry.migration.targets import build_plan


def crossing(hash_seed: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "hbase_ferry", "demo", "--headless", *words]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "UTC"}
    return subprocess.run(command, capture_output=True, env=environment, timeout=300, check=False)


@pytest.fixture(scope="module")
def seven() -> subprocess.CompletedProcess[bytes]:
    return crossing("1", "--seed", "7", "--json")


def test_the_whole_crossing_prints_the_same_bytes_twice(seven: subprocess.CompletedProcess[bytes]) -> None:
    again = crossing("2", "--seed", "7", "--json")
    assert (seven.returncode, again.returncode) == (0, 0), seven.stderr + again.stderr
    assert seven.stdout == again.stdout


def test_the_whole_crossing_ends_with_every_step_done_in_order(
    seven: subprocess.CompletedProcess[bytes],
) -> None:
    events = [json.loads(line) for line in seven.stdout.splitlines()]
    numbered = [event["number"] for event in events if event["kind"] != "progress"]
    assert numbered == list(range(1, len(numbered) + 1))
    ended = [event["step"] for event in events if event["kind"] == "step-done"]
    assert ended == [step.id for step in build_plan(demo_settings(), "x").steps]
    assert not {event["kind"] for event in events} & {"failed", "refused", "step-failed", "interrupted"}


def test_another_seed_tells_another_story(seven: subprocess.CompletedProcess[bytes]) -> None:
    other = crossing("1", "--seed", "8", "--json")
    assert other.returncode == 0, other.stderr
    assert other.stdout != seven.stdout


@pytest.mark.parametrize(
    ("words", "acting", "handed"),
    [
        (["demo"], True, {"theme": None, "ascii_only": False, "mouse": True}),
        (["demo", "--read-only", "--ascii"], False, {"theme": None, "ascii_only": True, "mouse": True}),
        (["console", "CONFIG"], False, {"theme": None, "ascii_only": False, "mouse": True}),
        (["console", "CONFIG", "--act", "--theme", "light", "--no-mouse"], True,
         {"theme": "light", "ascii_only": False, "mouse": False}),
    ],
)  # fmt: skip
def test_the_screen_is_handed_what_was_asked_for_and_reads_only_unless_told_to_act(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, words: list[str], acting: bool, handed: dict[str, object]
) -> None:
    shown = create_autospec(app.run, return_value=0)
    monkeypatch.setattr(app, "run", shown)
    result = pair.run(*words)
    assert result.exit_code == 0, result.stderr
    (ferry,), options = shown.call_args
    assert ferry.service.acting is acting
    assert options == handed
