"""Errors become exit codes and lines in one place."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hbase_ferry.cli.exits import ExitCode, code_of, guarded
from hbase_ferry.cli.output import Output
from hbase_ferry.errors import (
    AgentError,
    BadAnswer,
    ConfigError,
    DeadlineExceeded,
    FerryError,
    Problem,
    Refused,
    StepFailed,
    Unreachable,
)


def outcome(error: BaseException) -> tuple[int, str]:
    def body() -> ExitCode:
        raise error

    stderr = io.StringIO()
    code = guarded(Output(stdout=io.StringIO(), stderr=stderr), body)
    return int(code), stderr.getvalue()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError([Problem("a", 1, "b", "c")]), 2),
        (FerryError("the journal cannot be opened"), 2),
        (Refused("lag 5 200 ms is above the 1 000 ms gate"), 3),
        (StepFailed("x"), 4),
        (AgentError("java.io.IOException", "x"), 4),
        (Unreachable("x"), 5),
        (DeadlineExceeded("x"), 5),
        (BadAnswer("x"), 5),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: FerryError, code: int) -> None:
    assert code_of(error) == code
    assert outcome(error)[0] == code


def test_every_problem_and_every_reason_is_a_line_of_its_own() -> None:
    problems = [Problem("f.yaml", 3, "name", "is missing"), Problem("f.yaml", 0, "", "is empty")]
    assert outcome(ConfigError(problems)) == (2, "f.yaml:3: name: is missing\nf.yaml: is empty\n")
    assert outcome(Refused("one", "two")) == (3, "refused: one\nrefused: two\n")
    assert outcome(Unreachable("edge: no route")) == (5, "not reached: edge: no route\n")


def test_an_error_cannot_drive_the_terminal() -> None:
    assert outcome(StepFailed("a\x1b]0;x\x07\nb\u202ec"))[1] == "failed: a\\x1b]0;x\\x07\\x0ab\\u202ec\n"


def test_something_unforeseen_is_one_line_and_a_file_without_the_values_of_locals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    secret = "s3cret"  # noqa: F841
    code, said = outcome(ZeroDivisionError("division by zero"))
    assert code == ExitCode.DEFECT
    first, second = said.splitlines()
    assert first == "hbase-ferry met something it did not foresee: ZeroDivisionError: division by zero"
    path = Path(second.removeprefix("details: "))
    assert path.parent == tmp_path / "hbase-ferry"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError" in path.read_text() and "s3cret" not in path.read_text()


def test_where_no_file_can_be_written_the_code_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    code, said = outcome(ZeroDivisionError("x"))
    assert code == ExitCode.DEFECT and said.endswith("details: could not be written anywhere\n")


def test_ctrl_c_is_130() -> None:
    assert outcome(KeyboardInterrupt()) == (130, "interrupted\n")
