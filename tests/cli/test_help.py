"""Help answers without what a command may need later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hbase_ferry.cli import main as cli

HEAVY = (
    "textual",
    "paramiko",
    "pydantic",
    "yaml",
    "plotext",
    "happybase",
    "rich",
    "sqlite3",
    "hbase_ferry.wiring",
)
COMMANDS = ("demo", "console", "check", "plan", "status", "run", "remove-peer", "sample", "journal")
ASK = f"""
import sys
from hbase_ferry.cli.main import main
try:
    main()
except SystemExit as leaving:
    code = leaving.code
print("HEAVY", [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words", [(), *((command,) for command in COMMANDS)], ids=lambda words: " ".join(words) or "top"
)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    found = subprocess.run(
        [sys.executable, "-c", ASK, *words, "--help"], capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    assert "Usage: hbase-ferry" in found.stdout
    assert found.stderr == "HEAVY []\n"


def test_help_names_every_command_and_every_exit_code() -> None:
    text = CliRunner().invoke(cli.app, ["--help"]).stdout
    assert all(f"  {command} " in text for command in COMMANDS)
    assert all(f"{code} " in text for code in ("0", "2", "3", "4", "5", "130"))


def test_the_module_and_the_script_are_one_command_line() -> None:
    script = Path(sys.executable).with_name("hbase-ferry")
    for start in ([sys.executable, "-m", "hbase_ferry"], [str(script)]):
        found = subprocess.run([*start, "--version"], capture_output=True, text=True, timeout=60)
        assert (found.returncode, found.stdout, found.stderr) == (0, "hbase-ferry 0.1.0\n", "")


def test_no_command_at_all_is_answered_with_help_and_usage() -> None:
    result = CliRunner().invoke(cli.app, [])
    assert result.exit_code == 2
    assert "Commands:" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan"], "Missing argument 'CONFIG'"),
        (["plan", "x.yaml", "--ofline"], "No such option: --ofline"),
        (["crossing"], "No such command 'crossing'"),
        (["demo", "--seed", "x"], "Invalid value for '--seed'"),
        (["demo", "--tables", "-1"], "Invalid value for '--tables'"),
        (["demo", "--json"], "needs --headless"),
    ],
)
def test_a_wrong_command_line_is_usage(words: list[str], said: str) -> None:
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
