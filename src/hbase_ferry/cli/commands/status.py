"""`hbase-ferry status`: both sides, the peers in true words, the disk, every step, and what comes next.

One look, and up to three more where an enabled peer needs two reports of its region servers to be judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import command_line, first_look, not_seen, opened, unreached
from hbase_ferry.insight.disk import runway
from hbase_ferry.insight.format import age, count, plural, size
from hbase_ferry.insight.lag import PeerState, PeerTruth, judge_peer
from hbase_ferry.migration.core import StepState
from hbase_ferry.model.cluster import ClusterView, Peer, Side
from hbase_ferry.model.view import View

if TYPE_CHECKING:
    from hbase_ferry.migration.service import MigrationService

MORE_LOOKS = 3
MAX_EVIDENCE = 3


def run(out: Output, config: str) -> ExitCode:
    """Prints the state of everything. 5 where a side did not answer."""
    with opened(config) as ferry:
        service = ferry.service
        view = look(service, out)
        if out.as_json:
            out.record(_record(service, view))
        else:
            for line in _lines(service, view, config):
                out.line(line)
    missing = unreached(view)
    for sentence in missing:
        out.talk(f"not reached: {sentence}")
    return ExitCode.UNREACHABLE if missing else ExitCode.DONE


def look(service: MigrationService, out: Output) -> View:
    """A view in which the peers of the source can be judged, if that takes no more than four looks."""
    view = first_look(service, out)
    for _ in range(MORE_LOOKS):
        judged = truths(service, view.source, view.at)
        if not any(peer.enabled and truth.state is PeerState.UNKNOWN for peer, truth in judged):
            break
        service.clock.sleep(service.settings.poll_seconds)
        view = service.observe()
    return view


def truths(service: MigrationService, side: ClusterView, now: float) -> list[tuple[Peer, PeerTruth]]:
    """Each peer of one side with what it really does."""
    history = tuple(service.sight.history) if side.side is Side.SOURCE else (side,)
    return [(peer, judge_peer(peer.id, history or (side,), now=now)) for peer in side.peers.value or ()]


def _lines(service: MigrationService, view: View, config: str) -> Iterator[str]:
    yield f"{service.settings.name}   run {service.run_id}"
    for side in Side:
        yield ""
        yield from _side(service, view, side)
    yield ""
    statuses = service.status(view)
    for number, status in enumerate(statuses, 1):
        note = status.failure or status.waiting or "; ".join(status.blocked)
        if status.state is StepState.RUNNING and status.progress and status.progress.text and not status.failure:
            note = f"{note} ({status.progress.text})" if note else status.progress.text
        yield f"{number:>3}  {status.state.value:<8} {status.step.id:<24} {note or status.step.title}"
    following = service.plan.next(view)
    done = sum(status.state.value == "done" for status in statuses)
    yield f"{done} of {len(statuses)} steps done"
    if following is not None:
        named = [following.id] if service.preview(following.id, view).confirmation.kind == "type" else []
        yield f"next: {following.id}: {command_line('run', config, '--until', following.id, confirm=named)}"


def _side(service: MigrationService, view: View, which: Side) -> Iterator[str]:
    side, now = view.side(which), view.at
    identity = side.identity.value
    if identity is None:
        yield f"{side.side.value.upper()} {side.name}   not seen: {side.identity.error or 'no answer'}"
        return
    yield (
        f"{side.side.value.upper()} {side.name}   {identity.title}   cluster {identity.cluster_id}   "
        + (f"{plural(len(identity.servers), 'server')}   " if "load" in side.parts else "")
        + age(_since(side, now))
    )
    if identity.dead_servers:
        yield f"  dead      {', '.join(identity.dead_servers)}"
    for peer, truth in truths(service, side, now):
        seen = age(now - (side.peers.at or now))
        yield f"  peer      {peer.id}  {truth.state.value}  to {peer.endpoint or peer.cluster_key}  {seen}"
        yield f"            {truth.text}"
        yield from (f"            {line}" for line in truth.evidence[:MAX_EVIDENCE])
    if side.side is Side.SOURCE:
        yield from (f"  cause     {c.name}: {c.evidence}; {c.remedy}" for c in service.causes(view))
    if "peers" not in side.parts:
        yield from (f"  {key:<26} {value}" for key, value in sorted(identity.settings.items()))
        yield f"  tables    {_count(side.tables.value)}"
    if "snapshots" in side.parts:
        yield f"  snapshots {_count(side.snapshots.value)}"
    if "disk" in side.parts:
        yield f"  disk      {_disk(service, side)}"
    yield from (f"  not seen  {line}" for line in not_seen(side, now))


def _since(side: ClusterView, now: float) -> float | None:
    return None if side.identity.at is None else now - side.identity.at


def _count(items: tuple[object, ...] | None) -> str:
    return "not seen" if items is None else count(len(items))


def _disk(service: MigrationService, side: ClusterView) -> str:
    disk = side.disk.value
    if disk is None:
        return "not seen"
    free = f"{size(disk.remaining)} free of {size(disk.capacity)}"
    held = f"WALs {size(disk.wals.bytes)}, old WALs {size(disk.old_wals.bytes)}, archive {size(disk.archive.bytes)}"
    forecast = runway(tuple(service.sight.history)) if side.side is Side.SOURCE else None
    return f"{free}; {held}" + (f"; {forecast.text}" if forecast and forecast.hours is not None else "")


def _record(service: MigrationService, view: View) -> dict[str, Any]:
    following = service.plan.next(view)
    return {
        "migration": service.settings.name,
        "run": service.run_id,
        "at": view.at,
        "source": _side_record(service, view.source, view.at),
        "target": _side_record(service, view.target, view.at),
        "causes": list(service.causes(view)),
        "jobs": list(view.jobs.values()),
        "steps": [
            {"id": s.step.id, "title": s.step.title, "state": s.state, "blocked": s.blocked, "waiting": s.waiting,
             "failure": s.failure, "progress": s.progress}
            for s in service.status(view)
        ],
        "next": following.id if following else None,
    }  # fmt: skip


def _side_record(service: MigrationService, side: ClusterView, now: float) -> dict[str, Any]:
    return {
        "name": side.name,
        "identity": side.identity,
        "peers": [{"peer": peer, "truth": truth} for peer, truth in truths(service, side, now)],
        "load": side.load,
        "snapshots": side.snapshots,
        "disk": side.disk,
        "not_seen": not_seen(side, now),
    }
