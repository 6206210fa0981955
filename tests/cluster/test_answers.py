"""Every answer fits the schema or is a BadAnswer; foreign strings are safe before anything reads them."""

from __future__ import annotations

import pytest

from hbase_ferry.cluster.answers import read_answer
from hbase_ferry.cluster.wire import METHODS, CanaryRow, Effected, Items
from hbase_ferry.errors import BadAnswer
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.rows import RowPage
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


# ---- pages of rows: thousands of texts, checked together

ROW: list[Json] = ["6b31", [["d", "71", 2**63 * 1000, "00ff"], ["d", "", 0, ""], ["é\u202e", "71", 5, "ab" * 20_000]]]
PAGE: dict[str, Json] = {"rows": [ROW, ["6b32", []]], "next": "6b3200", "bytes": 7, "skipped": ["6b33"]}


def test_a_page_of_rows_keeps_long_values_and_times_above_64_bits_whole() -> None:
    page = read("rows.scan", PAGE)
    cells = (("d", "71", 2**63 * 1000, "00ff"), ("d", "", 0, ""), ("é\\u202e", "71", 5, "ab" * 20_000))
    assert page == RowPage((("6b31", cells), ("6b32", ())), "6b3200", 7, ("6b33",))
    empty = {"rows": [], "next": None, "bytes": 0, "skipped": []}
    assert read("rows.scan", empty) == RowPage((), None, 0)


def with_cell(family: Json, qualifier: Json, time: Json, value: Json) -> Json:
    return {**PAGE, "rows": [["6b31", [["d", "71", 1, "00"], [family, qualifier, time, value]]]]}


@pytest.mark.parametrize(
    "raw",
    [
        {**PAGE, "rows": [["6B31", []]]}, {**PAGE, "rows": [["6b3", []]]}, {**PAGE, "rows": [["\x1b[2J", []]]},
        {**PAGE, "rows": [["6b 31", []]]}, {**PAGE, "next": "xy"}, {**PAGE, "skipped": ["6b33", "q"]},
        with_cell("d", "7\u0661", 1, "00"), with_cell("d", "71", 1, "\n"), with_cell("d", "71", 1, "0"),
    ],
)  # fmt: skip
def test_a_key_a_qualifier_or_a_value_that_is_not_hex_is_refused(raw: Json) -> None:
    with pytest.raises(BadAnswer, match=r"prod: rows\.scan: .* not hex"):
        read("rows.scan", raw)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (with_cell("d", "71", 1.0, "00"), r"rows\.0\.1\.1\.2"), (with_cell("d", "71", True, "00"), r"rows\.0\.1\.1\.2"),
        (with_cell("d", "71", "1", "00"), r"rows\.0\.1\.1\.2"), (with_cell("d", 71, 1, "00"), r"rows\.0\.1\.1\.1"),
        (with_cell(None, "71", 1, "00"), r"rows\.0\.1\.1\.0"), (with_cell(["d"], "71", 1, "00"), r"rows\.0\.1\.1\.0"),
        ({**PAGE, "rows": [["6b31", [["d", "71", 1]]]]}, r"rows\.0\.1\.0"), ({**PAGE, "rows": [["6b31"]]}, r"rows\.0"),
        ({**PAGE, "bytes": True}, "bytes"), ({**PAGE, "next": 5}, "next"), ({**PAGE, "next": []}, "next"),
        ({**PAGE, "rows": None}, "rows"),
    ],
)  # fmt: skip
def test_a_page_that_is_built_otherwise_is_refused_by_the_field(raw: Json, field: str) -> None:
    with pytest.raises(BadAnswer, match=field):
        read("rows.scan", raw)
