"""Every answer fits the schema or is a BadAnswer; foreign strings are safe before anything reads them."""

from __future__ import annotations

import pytest

from hbase_ferry.cluster.answers import read_answer
from hbase_ferry.cluster.wire import METHODS, CanaryRow, Effected, Items
from hbase_ferry.errors import BadAnswer
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import JobPhase, JobState

JOB: dict[str, Json] = {
    "id": "j1", "phase": "done", "exit_code": 0, "started_ms": 1, "ended_ms": 2, "output_bytes": 3,
    "counters": {"GOODROWS": 7}, "application_id": "", "tail": ["a\tb\x1b[2J"],
}  # fmt: skip


def read(method: str, raw: Json) -> object:
    return read_answer(method, raw, Side.SOURCE, "prod")


def test_every_method_has_a_schema_that_refuses_an_empty_answer() -> None:
    for name in METHODS:
        if name != "ping":
            with pytest.raises(BadAnswer, match=name.replace(".", r"\.")):
                read(name, None)


def test_listings_become_typed_items() -> None:
    row: Json = {"row_hex": "00", "region": "r", "server": "s", "present": True}
    assert read("canary.read", {"items": [row], "total": 1}) == Items((CanaryRow("00", "r", "s", True),), 1)


def test_a_missing_key_names_the_field() -> None:
    with pytest.raises(BadAnswer, match=r"prod: canary\.read: the answer's items\.0\.present does not fit"):
        read("canary.read", {"items": [{"row_hex": "00", "region": "r", "server": "s"}], "total": 1})


@pytest.mark.parametrize("value", [1, "true", None])
def test_a_wrong_type_is_not_bent_into_the_right_one(value: Json) -> None:
    with pytest.raises(BadAnswer, match="changed"):
        read("peer.enable", {"changed": value})


def test_a_number_as_text_is_refused() -> None:
    with pytest.raises(BadAnswer, match="total"):
        read("namespaces.list", {"items": ["default"], "total": "1"})


def test_keys_nobody_asked_for_are_ignored() -> None:
    assert read("peer.enable", {"changed": True, "note": "", "newer": 1}) == Effected(True)


def test_names_are_made_safe() -> None:
    answer = read("namespaces.list", {"items": ["a\u202eb", "x\ny"], "total": 2})
    assert answer == Items(("a\\u202eb", "x\\x0ay"), 2)


def test_lone_surrogates_do_not_break_the_schema() -> None:
    assert read("namespaces.list", {"items": ["a\ud800"], "total": 1}) == Items(("a\\ud800",), 1)


def test_a_job_gets_its_side_from_the_connection() -> None:
    job = read("job.state", JOB)
    assert isinstance(job, JobState)
    assert (job.side, job.phase, job.counters, job.tail) == (
        Side.SOURCE, JobPhase.DONE, {"GOODROWS": 7}, ("a\\x09b\\x1b[2J",)
    )  # fmt: skip
    assert read("job.list", {"items": [JOB], "total": 1}) == Items((job,), 1)


def test_an_unknown_phase_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="phase"):
        read("job.state", {**JOB, "phase": "finished"})


def test_a_jobs_output_keeps_its_lines_and_nothing_else() -> None:
    answer = read("job.read", {"offset": 0, "next_offset": 9, "text": "\tA=1\r\nb\x1b[2J\n"})
    assert getattr(answer, "text", "") == "        A=1\nb\\x1b[2J\n"
