"""The list of steps, and the chosen one in full. Pure: statuses and a preview in, lines out.

Invariant: a command is shown whole, with the side it goes to and whether the view shows its effect.
Called by `app` for panes 4 and 5, and by `dialogs` and the preview page for the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hbase_ferry.console.headline import kept_by, progress_words
from hbase_ferry.console.ink import Cell, Line, Span, line, row, wrap
from hbase_ferry.console.ports import Preview, PreviewLine
from hbase_ferry.console.reading import Reading
from hbase_ferry.console.words import RISK_TEXT, STATE_ROLE
from hbase_ferry.migration.core import Gate, StepState, StepStatus
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import View

LABEL = 11
"Width of the labels in front of the chosen step's parts."


def step_rows(reading: Reading, width: int, wanted: Callable[[str], bool]) -> list[tuple[int, Line]]:
    """Index in the plan and line of every step that passes the filter."""
    many = len({each.step.lane for each in reading.status if each.step.lane}) > 1
    rows = []
    for index, status in enumerate(reading.status):
        title = f"{status.step.title}  [{status.step.lane}]" if many and status.step.lane else status.step.title
        if wanted(title):
            rows.append((index, _step_row(reading, index, status, title, width)))
    return rows


def _step_row(reading: Reading, index: int, status: StepStatus, title: str, width: int) -> Line:
    role = STATE_ROLE[status.state]
    here = ">" if index == reading.current else " "
    text = "dim" if status.state in (StepState.LATER, StepState.DONE) else "text"
    cells: list[Cell] = [Span(here, "key"), Span(status.state, role), Span(f"{index + 1:>2}", "dim")]
    extra = progress_words(status.progress) if status.progress and status.state is StepState.RUNNING else ""
    cells += [Span(title, text), Span(extra, "accent")]
    more = max(6, len(extra)) if extra else 0
    return row(cells, (1, 7, 2, max(8, width - 16 - (more + 1 if more else 0)), more), indent=0)


def steps_head(reading: Reading) -> Line:
    """"4 Steps  5 of 16 done"."""
    done = sum(1 for each in reading.status if each.state is StepState.DONE)
    return line(
        Span(" 4 ", "head-dim"), Span("Steps", "head-strong"), f"  {done} of {len(reading.status)} done", fill="head"
    )


def detail_head(preview: Preview, number: int) -> Line:
    """"5 Step 6: export orders   READY   can be undone"."""
    status = preview.status
    risk = preview.step.risk
    return line(
        Span(" 5 ", "head-dim"),
        Span(f"Step {number}: {preview.step.title}  ", "head-strong"),
        Span(status.state.upper(), "head-strong"),
        Span(f"  {RISK_TEXT[risk]}", "head-warn" if risk in ("cutover", "destructive") else "head-dim"),
        fill="head",
    )


def detail_body(preview: Preview, names: Mapping[Side, str], view: View, width: int) -> list[Line]:
    """Blocked by, why, will run, touches, undo: what stops the operator stands first."""
    lines = gate_lines(preview, view, width)
    lines += labelled("why", preview.step.why, width)
    lines += does_lines(preview, preview.lines, names, view, width)
    touched = list(dict.fromkeys(each.touches for each in preview.lines if each.touches))
    if touched or not preview.step.says(view):
        lines += labelled("touches", "; ".join(touched) or "nothing", width)
    return lines + undo_lines(preview, names, width)


def startable(status: StepStatus, view: View) -> bool:
    """Whether the step may be begun, gone on with, or, after a failure, tried again."""
    if status.state in (StepState.READY, StepState.RUNNING):
        return True
    return bool(status.failure and status.step.retries(view))


def gate_lines(preview: Preview, view: View, width: int) -> list[Line]:
    """What blocks the step, what failed, what is awaited, warnings and waivers."""
    status = preview.status
    lines: list[Line] = []
    if status.failure:
        lines += labelled("FAILED", status.failure, width, "bad")
        if status.step.retries(view):
            lines += labelled("again", "doing the step begins a new attempt", width, "accent")
    blocked = [each for each in status.blocked if each != status.failure]
    keys = {gate.text: gate for gate in preview.gates}
    for text in blocked:
        gate = keys.get(text)
        note = "  (w waives it, with a reason)" if gate is not None and gate.waivable else ""
        lines += labelled("blocked by" if text == blocked[0] else "", text + note, width, "warn")
    if not blocked and not status.failure and status.state is not StepState.DONE:
        lines += labelled("blocked by", kept_by(status), width, "dim")
    if status.waiting:
        lines += labelled("waiting", status.waiting, width, "accent")
    for gate in preview.gates:
        if gate.warning and gate.open is not True:
            lines += labelled("warning", gate.text, width, "warn")
        elif gate.name in view.waivers and gate.waivable:
            lines += labelled("waived", f"{gate.name}: {view.waivers[gate.name]}", width, "warn")
    return lines


def does_lines(
    preview: Preview, commands: Sequence[PreviewLine], names: Mapping[Side, str], view: View, width: int
) -> list[Line]:
    """What the step does: these commands, and what hbase-ferry reads or writes itself."""
    said = preview.step.says(view)
    lines = _command_lines(commands, names, width) if commands or not said else []
    for number, text in enumerate(said):
        lines += labelled("itself" if number == 0 else "", text, width)
    return lines


def _command_lines(commands: Sequence[PreviewLine], names: Mapping[Side, str], width: int) -> list[Line]:
    """Every command with its side and whether its effect is there."""
    if not commands:
        return labelled("will run", "nothing: this step only looks", width, "dim")
    lines: list[Line] = []
    for number, each in enumerate(commands):
        mark, role = ("waiting for it", "accent") if each.wait and not each.done else _MARKS[each.done]
        lines.append(
            line(
                Span(f" {'will run' if number == 0 else '':<{LABEL}}", "dim"),
                Span(mark, role),
                Span(f"  on {each.side.upper()} {names[each.side]}", str(each.side)),
                Span("   still unknown: " + ", ".join(each.unknown) if each.unknown else "", "warn"),
            )
        )
        role = "dim" if each.done else "text"
        lines += wrap(each.command, width, " " * (LABEL + 3), role)
    return lines


_MARKS = {True: ("done", "ok"), False: ("to do", "strong"), None: ("not known whether done", "stale")}


def undo_lines(preview: Preview, names: Mapping[Side, str], width: int) -> list[Line]:
    """The commands that take the step back now, and what they cannot bring back."""
    lines: list[Line] = []
    for number, action in enumerate(preview.undo):
        text = f"on {action.side} {names[action.side]}: {action.command}"
        lines += labelled("undo" if number == 0 else "", text, width)
    if not preview.undo:
        lines += labelled("undo", "nothing to take back now", width, "dim")
    if preview.undo_note:
        lines += labelled("but", preview.undo_note, width, "warn")
    return lines


def labelled(label: str, text: str, width: int, role: str = "text") -> list[Line]:
    """A label and wrapped text beside it."""
    first = (Span(f" {label:<{LABEL}}", "dim" if role in ("text", "dim") else role),)
    return wrap(text, width, " " * (LABEL + 1), _PLAIN.get(role, role), first)


_PLAIN = {"warn": "text", "bad": "text"}
"The label carries the colour; a wall of it would hide what is urgent."


def closed_waivable(preview: Preview, waivers: Mapping[str, str]) -> Gate | None:
    """The first gate that blocks, or that a failure offers, and that an operator may waive."""
    failed = bool(preview.status.failure)
    closed = (gate for gate in preview.gates if gate.waivable and gate.open is not True and gate.name not in waivers)
    return next((gate for gate in closed if failed or not gate.warning), None)
