"""The journal keeps what was decided, in order, for one migration and one acting process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hbase_ferry.errors import FerryError, Refused
from hbase_ferry.migration.journal import Journal
from hbase_ferry.migration.records import Records
from hbase_ferry.model.event import EventKind


def test_events_come_back_in_order_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "m.journal"
    first = Journal(path, "m")
    for number in range(5):
        first.append(float(number), EventKind.NOTE, "s", f"event {number}", {"n": number})
    first.close()
    again = Journal(path, "m")
    assert [event.text for event in again.events()] == [f"event {n}" for n in range(5)]
    assert [event.data["n"] for event in again.events(after=3)] == [3, 4]
    assert again.run_id == first.run_id


def test_a_journal_of_another_migration_is_refused_by_name(tmp_path: Path) -> None:
    Journal(tmp_path / "m.journal", "orders").close()
    with pytest.raises(FerryError, match="belongs to migration orders, not to users"):
        Journal(tmp_path / "m.journal", "users")


def test_a_header_fact_is_written_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "m.journal", "m")
    assert journal.pin("cluster_id.source", "a") == "a"
    assert journal.pin("cluster_id.source", "b") == "a"


def test_only_one_process_acts_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "m.journal"
    journal = Journal(path, "m")
    code = (
        "import sys, pathlib; from hbase_ferry.migration.journal import Journal\n"
        "from hbase_ferry.errors import Refused\n"
        "j = Journal(pathlib.Path(sys.argv[1]), 'm')\n"
        "try:\n    with j.acting(): print('acted')\nexcept Refused as e: print('refused', e)\n"
    )
    with journal.acting():
        other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert other.stdout.startswith("refused another hbase-ferry is acting")
    after = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert after.stdout == "acted\n"


def test_acting_twice_in_one_process_is_refused_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "m.journal", "m")
    with journal.acting(), pytest.raises(Refused), journal.acting():
        pass


def test_a_full_disk_says_that_nothing_is_sent(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "m.journal", "m")
    journal._db.execute("pragma max_page_count=6")
    with pytest.raises(FerryError, match="nothing is sent without it"):
        for _ in range(200):
            journal.append(0.0, EventKind.NOTE, "s", "x" * 4000)


def test_an_intent_without_an_answer_is_remembered(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "m.journal", "m")
    first = journal.append(1.0, EventKind.INTENT, "s", "one", {"method": "peer.add", "params": {}})
    second = journal.append(2.0, EventKind.INTENT, "s", "two", {"method": "job.start", "params": {"id": "j"}})
    journal.append(3.0, EventKind.SENT, "s", "one", {"intent": first.number, "method": "peer.add", "params": {}})
    records = Records(journal)
    records.refresh()
    assert list(records.unanswered) == [second.number]
    assert set(records.started) == {"j"}


def test_canary_rows_are_read_back_from_the_answer_and_marked_deleted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "m.journal", "m")
    rows = [{"row_hex": "00ff", "region": "r1", "server": "s1", "present": True}]
    journal.append(
        1.0,
        EventKind.SENT,
        "s",
        "w",
        {"method": "canary.write", "params": {"id": "c1", "table": "t"}, "answer": {"items": rows, "total": 1}},
    )
    records = Records(journal)
    records.refresh()
    assert [row.server for row in records.canaries["c1"].rows] == ["s1"]
    assert not records.canaries["c1"].deleted
    journal.append(
        2.0, EventKind.SENT, "s", "d", {"method": "canary.delete", "params": {"table": "t", "rows": ["00ff"]}}
    )
    records.refresh()
    assert records.canaries["c1"].deleted
