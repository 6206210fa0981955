"""`hbase-ferry plan`: every step with its exact commands, gates, undo and risk. Touches nothing, and also answers
without a connection: then with placeholders, and with what it did not look at."""

from __future__ import annotations

from typing import Any

from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import first_look, not_seen, opened
from hbase_ferry.migration.core import Effect, Gate, Plan, StepState, StepStatus
from hbase_ferry.migration.settings import Settings
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.view import View


def run(out: Output, config: str, offline: bool) -> ExitCode:
    """Prints the plan as of now, or as far as it can be known without a look."""
    if offline:
        from hbase_ferry.migration.config import load
        from hbase_ferry.migration.targets import build_plan

        settings = load(config)
        source, target = (ClusterView(side, settings.side(side).name) for side in Side)
        view = View(0.0, source, target)
        show(out, settings, build_plan(settings, "<run>"), view, "not looked at (--offline)")
        return ExitCode.DONE
    with opened(config) as ferry:
        service = ferry.service
        show(out, service.settings, service.plan, first_look(service, out), "not looked at")
    return ExitCode.DONE


def show(out: Output, settings: Settings, plan: Plan, view: View, reason: str) -> None:
    """The whole plan, as JSON or for people."""
    missing = [line for side in Side for line in not_seen(view.side(side), view.at, reason)]
    statuses = plan.status(view)
    if out.as_json:
        steps = [_record(number, status, view) for number, status in enumerate(statuses, 1)]
        out.record({"migration": settings.name, "not_seen": missing, "steps": steps})
        return
    out.line(f"{settings.name}: {len(statuses)} steps from {settings.source.name} to {settings.target.name}")
    for sentence in missing:
        out.line(f"not seen: {sentence}")
    for number, status in enumerate(statuses, 1):
        out.line()
        for line in _lines(number, status, view):
            out.line(line)


def _lines(number: int, status: StepStatus, view: View) -> list[str]:
    step = status.step
    lines = [f"{number:>2}  {step.id}  [{status.state.value}]  {step.title}", f"    why      {step.why}",
             f"    risk     {step.risk.value}"]  # fmt: skip
    later = status.state is StepState.LATER
    lines += [f"    runs     {_where(effect, view, later)}" for effect in step.effects(view)]
    lines += [f"    itself   {text}" for text in step.says(view)]
    lines += [] if len(lines) > 3 else ["    runs     nothing: it only looks"]
    lines += [f"    gate     {_gate(gate)}" for gate in step.gates(view)]
    lines += [f"    waits    {status.waiting}"] if status.waiting else []
    lines += [f"    failed   {status.failure}"] if status.failure else []
    lines += [f"    undo     {view.side(action.side).name}: {action.command}" for action in step.undo(view)]
    lines += [f"    undo     note: {step.undo_note}"] if step.undo_note else []
    return lines


def _where(effect: Effect, view: View, later: bool) -> str:
    """`later`: an effect that is there before its step's turn, such as no peer before one is added, was not done."""
    action = effect.action
    done = "  (done)" if effect.done and not later else ""
    lacks = f"  (still lacks {', '.join(action.unknown)})" if action.unknown else ""
    return f"{view.side(action.side).name}: {action.command}{done}{lacks}"


def _gate(gate: Gate) -> str:
    word = {True: "open", False: "closed", None: "unknown"}[gate.open]
    kind = " (warning)" if gate.warning else " (can be accepted)" if gate.waivable else ""
    return f"{gate.name} {word}{kind if gate.open is not True else ''}: {gate.text}"


def _record(number: int, status: StepStatus, view: View) -> dict[str, Any]:
    step = status.step
    return {
        "number": number,
        "id": step.id,
        "title": step.title,
        "lane": step.lane,
        "state": status.state,
        "why": step.why,
        "risk": step.risk,
        "blocked": status.blocked,
        "waiting": status.waiting,
        "failure": status.failure,
        "itself": step.says(view),
        "runs": [_action(effect.action) | {"done": effect.done} for effect in step.effects(view)],
        "gates": step.gates(view),
        "undo": [_action(action) for action in step.undo(view)],
        "undo_note": step.undo_note,
    }


def _action(action: Any) -> dict[str, Any]:
    keys = ("side", "command", "touches", "risk", "job", "unknown")
    return {key: getattr(action, key) for key in keys}
