"""What is printed, where, and that nothing foreign drives the terminal."""

from __future__ import annotations

import io
import json
import subprocess
import sys

from hbase_ferry.cli.events import EventPrinter
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.progress import Meter
from hbase_ferry.model.cluster import Observed, Side
from hbase_ferry.model.event import Event, EventKind


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(
    at: float, done: object, total: object = None, unit: str = "bytes", step: str = "export:t"
) -> Event:
    return Event(0, at, EventKind.PROGRESS, step, "copying", {"done": done, "total": total, "unit": unit})  # type: ignore[dict-item]


def test_on_a_terminal_progress_is_one_line_that_is_rewritten_and_taken_away_before_other_output() -> None:
    both = Terminal()
    out = Output(stdout=both, stderr=both)
    out.progress("1 %")
    out.progress("1 %")
    out.progress("2 %")
    out.line("data")
    out.progress("3 %")
    out.talk("talk")
    out.flush()
    assert both.getvalue() == "\r\x1b[K1 %\r\x1b[K2 %\r\x1b[Kdata\n\r\x1b[K3 %\r\x1b[Ktalk\n"


def test_elsewhere_progress_is_a_line_every_ten_seconds() -> None:
    now, err = [0.0], io.StringIO()
    out = Output(stdout=io.StringIO(), stderr=err, monotonic=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        out.progress(f"at {second}")
    assert err.getvalue() == "at 0\nat 10\nat 20\n"


def test_progress_has_share_rate_and_time_left() -> None:
    meter, mb = Meter(), 1024 * 1024
    assert meter.line(progress(0, 0, 100 * mb)) == "export:t:  0 %  0 B of 100 MB  copying"
    assert meter.line(progress(10, 20 * mb, 100 * mb)) == (
        "export:t:  20 %  20.0 MB of 100 MB  2.0 MB/s  40 s left  copying"
    )
    assert meter.line(progress(20, 20 * mb, 100 * mb)).endswith("1.0 MB/s  1 min 20 s left  copying")
    assert (
        meter.line(progress(21, 5, 8, "servers", "queues"))
        == "queues:  62 %  5 servers of 8 servers  copying"
    )
    assert meter.line(progress(22, 6, None, "rows", "queues")) == "queues:  6 rows  1 rows/s  copying"
    assert meter.line(Event(0, 1, EventKind.PROGRESS, "s", "waiting")) == "s: waiting"


def test_the_rate_starts_anew_when_a_counter_falls_back() -> None:
    meter = Meter()
    meter.line(progress(0, 50, 100, "rows"))
    assert "/s" not in meter.line(progress(10, 10, 100, "rows"))


def test_json_is_ascii_one_line_an_event_and_progress_included() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    printer = EventPrinter(Output(True, stdout, stderr))
    printer.show_all(
        [progress(1.5, 1, 2), Event(3, 2.0, EventKind.SENT, "s", "订单\u202e", {"side": "source"})]
    )
    lines = stdout.getvalue().splitlines()
    assert all(line.isascii() for line in lines)
    assert [json.loads(line)["number"] for line in lines] == [0, 3]
    assert json.loads(lines[1]) == {"number": 3, "at": 2.0, "kind": "sent", "step": "s", "text": "订单\u202e",
                                    "data": {"side": "source"}}  # fmt: skip


def test_text_events_are_data_and_progress_is_talk() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    printer = EventPrinter(Output(False, stdout, stderr))
    printer.show_all([progress(1, 1, 2), Event(1, 2.0, EventKind.SENT, "add-peer", "a\x1b[31m[red]b\u202e")])
    assert stdout.getvalue().count("\n") == 1
    assert stdout.getvalue().endswith("sent          add-peer              a\\x1b[31m[red]b\\u202e\n")
    assert stderr.getvalue().startswith("export:t:  50 %")


def test_model_values_become_json() -> None:
    stdout = io.StringIO()
    Output(True, stdout, io.StringIO()).record(
        {"seen": Observed((Side.SOURCE,), 1.0), "nan": float("nan"), 1: {2.5}}
    )
    assert json.loads(stdout.getvalue()) == {
        "seen": {"value": ["source"], "at": 1.0, "error": None}, "nan": None, "1": [2.5],
    }  # fmt: skip


def test_a_reader_that_leaves_is_no_noise() -> None:
    program = (
        "import sys; from hbase_ferry.cli.exits import *; from hbase_ferry.cli.output import Output\n"
        "out = Output()\n"
        "def body():\n"
        "    for n in range(100_000): out.line('x' * 80)\n"
        "    return ExitCode.DONE\n"
        "sys.exit(guarded(out, body))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 130
