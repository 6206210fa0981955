"""What the steps share: the context-carrying base, gates on one observed fact, effects that start a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hbase_ferry.migration import commands
from hbase_ferry.migration.context import Context, orphans
from hbase_ferry.migration.core import Action, Effect, Gate, Risk, Step
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import JobPhase, JobState, View


@dataclass(frozen=True, kw_only=True)
class FerryStep(Step):
    """A step of one migration."""

    ctx: Context = field(repr=False)

    def name(self, side: Side) -> str:
        """The cluster's name, for sentences."""
        return self.ctx.side_name(side)

    def act(
        self,
        side: Side,
        method: str,
        params: Mapping[str, Json],
        command: str,
        touches: str,
        risk: Risk = Risk.REVERSIBLE,
        unknown: Sequence[str] = (),
    ) -> Action:
        """An action on one side."""
        return Action(side, method, params, command, touches, risk, unknown=tuple(unknown))

    def job(
        self,
        view: View,
        side: Side,
        job_id: str,
        argv: Sequence[str],
        touches: str,
        *,
        unknown: Sequence[str] = (),
        done: bool | None = None,
        risk: Risk = Risk.REVERSIBLE,
    ) -> Effect:
        """A detached job as an effect: done when it ended with 0 (or `done` says so), waiting while it runs."""
        env: dict[str, Json] = dict(self.ctx.settings.side(side).env)
        action = Action(
            side,
            "job.start",
            {"id": job_id, "argv": list(argv), "env": env},
            commands.line(argv),
            touches,
            risk,
            job=job_id,
            unknown=tuple(unknown),
        )
        state = view.job(job_id)
        finished = done if done is not None else state is not None and state.succeeded
        wait = _running(state, self.name(side)) if state is not None and state.alive and not finished else ""
        return Effect(action, finished, wait)

    def holding(self, view: View, when: str) -> Gate:
        """Open while the peer exists and is DISABLED."""
        peer = view.source.peer(self.ctx.peer_id)
        held = None if view.source.peers.current is None else peer is not None and not peer.enabled
        return Gate("peer.holding", held, f"peer {self.ctx.peer_id} must exist and be DISABLED {when}")

    def job_failure(self, view: View, *job_ids: str) -> str | None:
        """The first of these jobs that ended badly or was lost, as a sentence."""
        for job_id in job_ids:
            state = view.job(job_id)
            if state is not None and (text := job_failure(state, self.name(state.side))):
                return text
        return None


def _running(state: JobState, where: str) -> str:
    if state.phase is JobPhase.LOST:
        return f"{state.id} lost its wrapper on {where}, and {state.left} of its processes still run"
    return f"{state.id} is running on {where}"


def orphan_gates(step: FerryStep, view: View) -> tuple[Gate, ...]:
    """One closed gate for every peer of this migration that the configuration does not name any more."""
    source = step.name(Side.SOURCE)
    return tuple(
        Gate(
            f"peer.orphan.{peer}",
            False,
            f"peer {peer} on {source} was added by this migration when the configuration named it, and nothing takes "
            f"it away now: put the configuration back, or remove the peer; it loses what it holds back",
            waivable=True,
        )
        for peer in orphans(step.ctx, view)
    )


def lost_gates(view: View, job_ids: Sequence[str]) -> tuple[Gate, ...]:
    """One closed, waivable gate for every lost job that YARN may still be running: it is not begun anew unasked."""
    lost = (job for name in job_ids if (job := view.job(name)) is not None and job.phase is JobPhase.LOST)
    return tuple(
        Gate(
            f"lost.{job.id}",
            False,
            f"job {job.id} is lost, and its YARN application {job.application_id} may still run: "
            f"`yarn application -status {job.application_id}`; when it is over, waive lost.{job.id}",
            waivable=True,
        )
        for job in lost
        if job.application_id
    )


def job_failure(state: JobState, where: str) -> str | None:
    """Why this job cannot succeed any more; None while it can, or did."""
    last = f": {state.tail[-1]}" if state.tail else ""
    if state.alive:
        return None
    if state.phase is JobPhase.LOST:
        app = f" (YARN {state.application_id} may still run: look there first)" if state.application_id else ""
        return f"job {state.id} on {where} is gone and left no exit code{app}{last}"
    if state.phase is JobPhase.DONE and state.exit_code != 0:
        return f"job {state.id} on {where} ended with exit code {state.exit_code}{last}"
    return None


def seen(name: str, value: object, unknown_text: str) -> Gate | None:
    """A closed gate where the fact it needs was not observed; None where it was."""
    return Gate(name, None, unknown_text) if value is None else None
