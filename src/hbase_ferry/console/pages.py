"""Pages that lie over the panes: help, the full preview of a step, all events. Pure: values in, lines out.

Called by `app`, which shows them in one prebuilt Lines over the screen, so that `?` costs no new screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hbase_ferry.console.ink import Line, Span, line, wrap
from hbase_ferry.console.keys import available
from hbase_ferry.console.ports import Preview
from hbase_ferry.console.steps import detail_body, labelled
from hbase_ferry.console.words import RISK_TEXT
from hbase_ferry.insight.format import moment
from hbase_ferry.migration.core import StepState
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind
from hbase_ferry.model.view import View

_EVENT_ROLE = {
    EventKind.FAILED: "bad", EventKind.STEP_FAILED: "bad", EventKind.REFUSED: "warn", EventKind.WAIVED: "warn",
    EventKind.INTERRUPTED: "warn", EventKind.STEP_DONE: "ok", EventKind.PROOF: "ok", EventKind.STEP_STARTED: "accent",
    EventKind.SENT: "text", EventKind.PROGRESS: "dim", EventKind.OBSERVED: "dim",
}  # fmt: skip

_STATES = (
    (StepState.DONE, "the newest view of the clusters shows its whole effect"),
    (StepState.RUNNING, "begun: a job runs, or a part of it is done and enter goes on with the rest"),
    (StepState.READY, "nothing blocks it"),
    (StepState.BLOCKED, "a gate is closed; the sentence with the number stands beside it"),
    (StepState.LATER, "a step before it is not done"),
    (StepState.UNKNOWN, "the view cannot tell, since a side was not seen"),
)

_PEERS = (
    ("disabled", "ships nothing and holds back every WAL; HBase shows lag 0 for it"),
    ("idle", "enabled, nothing waits; only a canary row proves that all has arrived"),
    ("catching up", "ships, and something waits"),
    ("stalled", "something waits and does not move"),
    ("unknown", "was not observed, or says too little"),
)


def help_page(acting: bool, width: int) -> tuple[Line, list[Line]]:
    """The key table and the words of the screen."""
    lines = [line(Span(" Keys", "strong"))]
    for key in available(acting):
        first = (Span(f"   {key.shown:<7}", "key"),)
        lines += wrap(key.help, width, " " * 10, "text", first)
    if not acting:
        text = "READ-ONLY: keys that change a cluster are not bound. Start with --act to have them."
        lines += wrap(text, width, "   ", "warn", (Span("   "),))
    lines += [line(""), line(Span(" States of a step", "strong"))]
    for state, text in _STATES:
        lines += wrap(text, width, " " * 16, "text", (Span(f"   {state:<13}", "key"),))
    lines += [line(""), line(Span(" States of a peer", "strong"))]
    for word, text in _PEERS:
        lines += wrap(text, width, " " * 16, "text", (Span(f"   {word:<13}", "key"),))
    lines += [line(""), line(Span(" Ages", "strong"))]
    text = "live is younger than 5 s. Grey and slanted is old: the side could not be looked at, and since when is said."
    lines += wrap(text, width, "   ", "text", (Span("   "),))
    return _title("Help", "arrows scroll, Esc closes"), lines


def preview_page(
    preview: Preview, number: int, names: Mapping[Side, str], view: View, width: int
) -> tuple[Line, list[Line]]:
    """Everything a step would send, with every gate, touching nothing."""
    lines = detail_body(preview, names, view, width)
    lines += labelled("risk", RISK_TEXT[preview.step.risk], width)
    if preview.gates:
        lines += [line(""), line(Span(" Gates", "strong"))]
    for gate in preview.gates:
        word, role = {True: ("open", "ok"), False: ("closed", "warn"), None: ("unknown", "stale")}[gate.open]
        number_ = f"  ({gate.value} against {gate.threshold})" if gate.value and gate.threshold else ""
        lines += wrap(gate.text + number_, width, " " * 11, "text", (Span(f"   {word:<8}", role),))
    return _title(f"Preview of step {number}: {preview.step.title}", "nothing is sent; Esc closes"), lines


def event_lines(events: Sequence[Event], width: int, wanted: Callable[[str], bool], whole: bool) -> list[Line]:
    """Events in order; `whole` wraps long ones, else each is one line."""
    lines: list[Line] = []
    for event in events:
        if not wanted(event.text):
            continue
        role = _EVENT_ROLE.get(event.kind, "text")
        first = (Span(f" {moment(event.at)}  ", "dim"), Span(f"{event.kind:<13}", role))
        if whole:
            lines += wrap(event.text, width, " " * 25, "text", (*first, Span("  ")))
        else:
            lines.append(line(*first, Span("  " + event.text)))
    return lines


def events_page(events: Sequence[Event], width: int, wanted: Callable[[str], bool]) -> tuple[Line, list[Line]]:
    """Every event of this migration."""
    return _title(f"Events: {len(events)}", "newest last; Esc closes"), event_lines(events, width, wanted, True)


def too_small(width: int, height: int) -> list[Line]:
    """What is said where the console does not fit."""
    return [
        line(Span("Too small", "strong")),
        line(f"This terminal is {width}x{height}."),
        line("hbase-ferry needs 80x24."),
        line(Span("Enlarge it. q quits.", "dim")),
    ]


def _title(text: str, note: str) -> Line:
    return line(Span(f" {text}", "head-strong"), Span(f"   {note}", "head-dim"), fill="head")
