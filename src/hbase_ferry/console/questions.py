"""The questions the console asks, as dialogs ready to be opened: before a step, a waiver, leaving.

Invariant: the dialog names the side and cluster of every command. Called by `app`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hbase_ferry.console.dialogs import Ask
from hbase_ferry.console.ink import Line, Span, line, wrap
from hbase_ferry.console.ports import Confirmation, Preview
from hbase_ferry.console.steps import does_lines, gate_lines, labelled, undo_lines
from hbase_ferry.console.words import RISK_TEXT
from hbase_ferry.migration.core import Gate, Risk
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import View


def step_question(
    preview: Callable[[], Preview],
    number: int,
    confirmation: Confirmation,
    yes: str,
    names: Mapping[Side, str],
    view: Callable[[], View],
    refusal: Callable[[], str],
) -> Ask:
    """Before a step, or before its undo: the sentence, the commands, what the undo cannot bring back."""
    first = preview()
    risky = first.step.risk in (Risk.CUTOVER, Risk.DESTRUCTIVE)
    role = "alarm" if risky else "head-strong"
    title = line(Span(f" {yes}: step {number}, {first.step.title} ", role), fill="alarm" if risky else "head")

    def body(width: int) -> list[Line]:
        now = preview()
        typing = confirmation.kind == "type"
        lines = [] if typing else wrap(confirmation.sentence, width, " ", "strong", (Span(" "),))
        lines += labelled("risk", RISK_TEXT[now.step.risk], width, "warn" if risky else "text")
        if yes == "Undo":
            return lines + undo_lines(now, names, width)
        outstanding = [each for each in now.lines if each.done is not True]
        lines += does_lines(now, outstanding or now.lines, names, view(), width)
        lines += gate_lines(now, view(), width)
        return lines + undo_lines(now, names, width)

    if confirmation.kind != "type":
        return Ask(title, body, yes, refusal=refusal)
    expected = confirmation.expected
    hint = confirmation.sentence
    return Ask(title, body, yes, accepts=lambda typed: typed == expected, hint=hint, refusal=refusal)


def waiver_question(gate: Gate) -> Ask:
    """A reason has to be typed; it is kept in the journal."""

    def body(width: int) -> list[Line]:
        lines = labelled("closed", gate.text, width, "warn")
        text = "goes into the journal with your reason, and holds for this migration"
        return lines + labelled("waiving", text, width)

    title = line(Span(f" Waive the gate {gate.name} ", "alarm"), fill="alarm")
    accepts: Callable[[str], bool] = lambda typed: len(typed.strip()) >= 3  # noqa: E731
    return Ask(title, body, "Waive it", accepts=accepts, hint="Why may it be waived?")


def leaving_question(running: str) -> Ask:
    """What goes on in the clusters when the console ends now."""

    def body(width: int) -> list[Line]:
        lines = labelled("running", running, width, "accent")
        text = (
            "No further action is sent. What was sent already goes on in the cluster: a job (export, verification) "
            "runs to its end there and is found again at the next start; peers, snapshots and tables stay as they "
            "are."
        )
        return lines + labelled("quitting", text, width)

    return Ask(line(Span(" Quit while a step runs? ", "head-strong"), fill="head"), body, "Quit")
