"""The journal breaks: full disk, gone, garbage, another one, two processes. Nothing is sent without it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hbase_ferry.errors import FerryError, Refused
from hbase_ferry.migration.journal import Journal
from hbase_ferry.model.event import EventKind
from migration.embedded import Crossing, run


def changes(crossing: Crossing) -> tuple[object, ...]:
    """What a migration would have changed on the pair."""
    source, target = crossing.world.clusters.values()
    return (dict(source.peers), dict(target.peers), sorted(source.area.snapshots), sorted(target.tables),
            sorted(source.namespaces), sorted(target.namespaces))  # fmt: skip


def test_a_journal_that_cannot_grow_stops_the_step_before_anything_is_sent(tmp_path: Path) -> None:
    """A file size limit stands for a full disk: SQLite meets the same failing write."""
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "namespaces")
    before = changes(crossing)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        with pytest.raises(
            FerryError, match=r"the journal .*m\.journal cannot be written .*: nothing is sent without it"
        ):
            list(service.execute("add-peer", "ferry_orders"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert changes(crossing) == before
    list(service.execute("add-peer", "ferry_orders"))
    assert "ferry_orders" in crossing.world.clusters[next(iter(crossing.world.clusters))].peers


@pytest.mark.parametrize("how", ["deleted", "replaced", "its folder deleted"])
def test_a_journal_that_went_away_while_running_stops_the_step_before_anything_is_sent(
    tmp_path: Path, how: str
) -> None:
    """An open SQLite file goes on taking writes after it was unlinked: what it takes is gone after a crash."""
    folder = tmp_path / "state"
    folder.mkdir()
    crossing = Crossing(folder)
    service = crossing.service()
    run(service, "namespaces")
    before, path = changes(crossing), folder / "m.journal"
    path.unlink()
    if how == "replaced":
        Journal(path, "orders-to-emr6", "ffffff").close()
    elif how == "its folder deleted":
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
    with pytest.raises(FerryError, match=r"the journal .*m\.journal .*: nothing is sent without it"):
        list(service.execute("add-peer", "ferry_orders"))
    assert changes(crossing) == before


def test_a_lock_that_was_taken_away_ends_the_right_to_act(tmp_path: Path) -> None:
    """Whoever removes a "stale" lock of a living process lets a second one in: the first has to notice."""
    first, second = Crossing(tmp_path), Crossing(tmp_path)
    service = first.service()
    run(service, "queues")
    walk = service.execute("scope:shop:orders")
    next(walk)
    (tmp_path / "m.journal.lock").unlink()
    list(second.service().execute("preflight"))
    with pytest.raises(FerryError, match=r"m\.journal\.lock was replaced while it was in use"):
        list(walk)
    source = next(iter(first.world.clusters.values()))
    assert {f.scope for f in source.tables["shop:orders"].descriptor.families} == {0}


@pytest.mark.parametrize("content", [b"garbage, no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4000],
                         ids=["text", "a broken header"])  # fmt: skip
def test_a_file_that_is_no_journal_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.journal").write_bytes(content)
    with pytest.raises(FerryError, match=r"the journal .*m\.journal cannot be opened"):
        Crossing(tmp_path).service()
    assert (tmp_path / "m.journal").read_bytes() == content


def test_a_database_of_another_program_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.journal"
    with sqlite3.connect(path) as other:
        other.execute("create table events (when_ text, what text)")
        other.execute("insert into events values ('now', 'something else')")
    content = path.read_bytes()
    with pytest.raises(FerryError, match=r"m\.journal is no journal of hbase-ferry"):
        Crossing(tmp_path).service()
    assert path.read_bytes() == content


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Crossing(tmp_path).service().close()
    with sqlite3.connect(tmp_path / "m.journal") as journal:
        journal.execute("pragma user_version = 99")
    with pytest.raises(
        FerryError, match=r"m\.journal was written by a newer hbase-ferry \(format 99, this one knows 1\)"
    ):
        Crossing(tmp_path).service()


def test_a_journal_with_a_kind_of_event_nobody_knows_is_refused_and_not_a_traceback(tmp_path: Path) -> None:
    service = Crossing(tmp_path).service()
    run(service, "preflight")
    service.close()
    with sqlite3.connect(tmp_path / "m.journal") as journal:
        journal.execute("update events set kind = 'from-the-future' where number = 1")
    with pytest.raises(FerryError, match=r"m\.journal .*event 1"):
        list(Crossing(tmp_path).service().events())


def test_a_second_process_is_refused_with_the_owner_and_may_act_once_that_is_gone(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from hbase_ferry.migration.journal import Journal\n"
        "with Journal(pathlib.Path(sys.argv[1]), 'orders-to-emr6').acting():\n"
        "    print('acting', flush=True); sys.stdin.read()\n"
    )
    crossing = Crossing(tmp_path)
    service = crossing.service()
    run(service, "preflight")
    other = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "m.journal")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert other.stdout is not None and other.stdout.readline() == b"acting\n"
        before = changes(crossing)
        with pytest.raises(
            Refused, match=rf"another hbase-ferry is acting on this migration \(pid {other.pid}"
        ):
            list(service.execute("namespaces"))
        assert changes(crossing) == before
    finally:
        other.kill()
        other.wait(30)
    list(service.execute("namespaces"))


def test_a_refused_second_process_is_no_event_of_the_first_ones_story(tmp_path: Path) -> None:
    first, second = Crossing(tmp_path), Crossing(tmp_path)
    service, other = first.service(), second.service()
    run(service, "preflight")
    walk = service.execute("namespaces")
    next(walk)
    with pytest.raises(Refused, match=f"pid {os.getpid()}"):
        list(other.execute("add-peer"))
    list(walk)
    assert EventKind.REFUSED not in [e.kind for e in service.events()]


def test_a_journal_that_cannot_even_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.journal").mkdir()
    with pytest.raises(FerryError, match="cannot be opened"):
        Crossing(tmp_path).service()
