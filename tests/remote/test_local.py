"""The local transport: a private folder, whole files, a process that is ours and nobody else's."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from hbase_ferry.errors import Unreachable
from hbase_ferry.remote.channel import Tail, split_lines
from hbase_ferry.remote.local import LocalMachine


def test_files_are_put_into_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = Path(LocalMachine().install("~/x/y", {"a.rb": b"1\n"}))
    assert folder == tmp_path / "x" / "y"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [(p.name, p.read_bytes(), stat.S_IMODE(p.stat().st_mode)) for p in folder.iterdir()] == [
        ("a.rb", b"1\n", 0o600)
    ]


def test_an_open_folder_is_closed_and_a_file_in_it_is_not_trusted(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "a.rb").write_text("evil")
    LocalMachine().install(str(tmp_path), {"a.rb": b"good\n"})
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert (tmp_path / "a.rb").read_bytes() == b"good\n"


def test_a_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable, match="cannot put the agent into"):
        LocalMachine().install(str(tmp_path / "file" / "x"), {})


def test_a_process_without_newlines_or_readers_of_stderr_does_not_block(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('e' * 1000000); sys.stdout.write('x' * 300000 + '\\nlast')"
    channel = LocalMachine().start([sys.executable, "-c", code], {})
    assert [len(line) for line in channel.lines()] == [300_000]
    assert (channel.exit_code(), len(channel.errors())) == (0, 1000)
    channel.close()


def test_the_environment_is_ours_plus_the_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    code = "import os; print(os.environ['OURS'], os.environ['X'])"
    channel = LocalMachine().start([sys.executable, "-c", code], {"X": "2"})
    assert list(channel.lines()) == [b"1 2"]
    channel.close()


def test_writing_to_a_process_that_is_gone_is_an_os_error() -> None:
    channel = LocalMachine().start(["true"], {})
    assert channel.exit_code() == 0
    with pytest.raises(OSError):
        for _ in range(100):
            channel.send(b"x" * 10_000)
    channel.close()
    with pytest.raises(OSError):
        channel.send(b"x")


def test_lines_are_put_together_from_any_pieces() -> None:
    for size in (1, 2, 3, 100):
        data = b"a\n\nbc\xff\nrest"
        pieces = iter([data[i : i + size] for i in range(0, len(data), size)] + [b""])
        assert list(split_lines(lambda p=pieces: next(p), lambda _: None)) == [b"a", b"", b"bc\xff"]  # type: ignore[misc]


def test_a_tail_keeps_the_newest_lines_and_is_bounded() -> None:
    tail = Tail(2)
    tail.feed(b"1\n2\n\n3")
    tail.feed(b"3\nrest" + b"x" * 100_000)
    assert tail.text().startswith("2\n33\n") and len(tail.text()) < 2000
