"""The top line, the footer and the compact layout's line of the chosen step. Pure: a reading in, lines out.

Invariant: whoever looks at the screen at 03:00 reads here what migration this is, whether it may change anything,
where it stands and what is worst, at every size. Called by `app`.
"""

from __future__ import annotations

from hbase_ferry.console.ink import Cell, Line, Span, line, width_of
from hbase_ferry.console.keys import available
from hbase_ferry.console.reading import Reading
from hbase_ferry.console.words import STATE_ROLE
from hbase_ferry.insight.format import count, percent, size
from hbase_ferry.migration.core import Progress, StepState, StepStatus

ONE_LINE = 160
"From this width on the top is one line."


def top(reading: Reading, name: str, operator: str, width: int) -> list[Line]:
    """One line on a wide screen, else two: identity and mode, then step and worst headline. No operator: read-only."""
    mode = Span(f" ACTING as {operator} ", "act") if operator else Span(" READ-ONLY ", "readonly")
    who: list[Cell] = [Span(" hbase-ferry ", "head-accent"), Span(f" {name}  ", "head-strong"), mode]
    text, role = reading.worst
    step = Span(f"  {step_words(reading)}", "head-strong")
    worst: list[Cell] = [Span("  WORST: ", "head-dim"), Span(text, f"head-{role}")]
    if width >= ONE_LINE:
        return [line(*who, step, *worst, fill="head")]
    return [line(*who, step, fill="head"), line(*worst, fill="head")]


def step_words(reading: Reading) -> str:
    """"step 6 of 16, 62 %, 4 min left: export orders"."""
    current = reading.current
    total = len(reading.status)
    if current is None:
        return f"finished: all {total} steps done"
    status = reading.status[current]
    parts = [f"step {current + 1} of {total}"]
    if status.progress and status.state is StepState.RUNNING:
        parts.append(progress_words(status.progress))
    if reading.left.get(status.step.id):
        parts.append(reading.left[status.step.id])
    return f"{', '.join(parts)}: {status.step.title}"


def progress_words(progress: Progress) -> str:
    """"62 %" where the whole is known, else the amount."""
    if progress.total:
        return percent(min(1.0, progress.done / progress.total))
    return size(progress.done) if progress.unit == "bytes" else f"{count(progress.done)} {progress.unit}"


def chosen(status: StepStatus, number: int, waived: frozenset[str]) -> list[Line]:
    """The chosen step and what blocks it, in two lines."""
    why = _obstacle(status)
    return [
        line(
            Span(f" Step {number} ", "head-accent"),
            Span(str(status.state).upper(), f"head-{_head(STATE_ROLE[status.state])}"),
            Span(f"  {status.step.title}", "head-strong"),
            fill="head",
        ),
        line(Span(f" {why[0]}  ", "dim"), Span(why[1], why[2])),
    ]


def _head(role: str) -> str:
    return role if role in ("ok", "warn", "bad", "stale", "strong", "dim", "accent") else "strong"


def _obstacle(status: StepStatus) -> tuple[str, str, str]:
    if status.failure:
        return "failed", status.failure, "bad"
    if status.blocked:
        more = f"  (and {len(status.blocked) - 1} more)" if len(status.blocked) > 1 else ""
        return "blocked by", status.blocked[0] + more, "warn"
    if status.waiting:
        return "waiting for", status.waiting, "accent"
    return "blocked by", kept_by(status), "dim"


def kept_by(status: StepStatus) -> str:
    """What keeps a step from its turn where no gate is closed."""
    return "the steps before it" if status.state is StepState.LATER else "nothing"


def footer(acting: bool, width: int, filter_text: str, running: str) -> Line:
    """The keys, as many words as fit; in front of them what runs and what is filtered."""
    state: list[Cell] = []
    if running:
        state += [Span(f" RUNNING {running} ", "act"), Span(" s", "head-accent"), Span(" stop ", "head")]
    if filter_text:
        state += [Span(f" filter: {filter_text} ", "head-warn"), Span("esc clears ", "head-dim")]
    room = width - sum(width_of(each.text) for each in state if isinstance(each, Span))
    keys = _footer_keys(acting)
    cells: list[Span] = []
    for label, gap in ((str, "  "), (_short, " "), (_none, " ")):
        cells = [
            piece for shown, text in keys for piece in (Span(f"{gap}{shown}", "head-accent"), Span(label(text), "head"))
        ]
        if sum(width_of(each.text) for each in cells) <= room:
            break
    return line(*state, *cells, fill="head")


def _short(text: str) -> str:
    return {" commands": " cmds", " red button": " red"}.get(text, text)


def _none(text: str) -> str:
    return ""


def _footer_keys(acting: bool) -> list[tuple[str, str]]:
    keys = [("1-6", "panes") if key.action == "pane(1)" else (key.shown, key.footer) for key in available(acting)]
    return [(shown, f" {text}") for shown, text in keys if text]
