"""What commands share: a configuration becomes a Ferry, Ctrl-C becomes a stop, and what to type next becomes a line.

Invariant: only commands that change something build an acting Ferry; all of them close it.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from hbase_ferry.errors import Unreachable
from hbase_ferry.insight.format import age
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.view import JobPhase, View

if TYPE_CHECKING:
    from hbase_ferry.cli.output import Output
    from hbase_ferry.migration.service import MigrationService
    from hbase_ferry.wiring import Ferry

MORE_TRIES = 2
"""How often a side that never answered is asked again before it counts as not reached."""


@contextlib.contextmanager
def opened(config: str, *, acting: bool = False) -> Iterator[Ferry]:
    """The Ferry of a configuration file. Raises ConfigError, FerryError."""
    from hbase_ferry import wiring
    from hbase_ferry.migration.config import load

    with contextlib.closing(wiring.build(load(config), acting=acting)) as ferry:
        yield ferry


@contextlib.contextmanager
def stoppable(out: Output) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one interrupts at once. Main thread only."""
    stop = threading.Event()

    def interrupt(signum: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        out.talk("stopping after this look at the clusters; Ctrl-C again to leave at once")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def first_look(service: MigrationService, out: Output, *, ports: bool = False) -> View:
    """A fresh view, with two more looks where a side never answered: an agent on a busy edge node takes its time.

    `ports`: the target's ports are tried too, as the preflight wants it.
    """
    look = service.survey if ports else service.observe
    view = look()
    for _ in range(MORE_TRIES):
        missing = unreached(view)
        if not missing:
            break
        out.progress("; ".join(f"waiting for {sentence}" for sentence in missing))
        service.clock.sleep(1.0)
        view = look()
    out.progress("")
    return view


def unreached(view: View, sides: Collection[Side] = tuple(Side)) -> tuple[str, ...]:
    """A sentence for each of these sides that does not say who it is."""
    return tuple(
        f"{side.name} ({side.side.value}): {side.identity.error or 'never looked at'}"
        for side in (view.side(chosen) for chosen in sides)
        if side.identity.current is None
    )


def reached(service: MigrationService, view: View, sides: Collection[Side] = tuple(Side)) -> View:
    """`view`, if these sides answered and are the clusters the migration began with. Raises Unreachable, Refused."""
    for side in sides:
        service.pins.refuse_another(view, side)
    missing = unreached(view, sides)
    if missing:
        raise Unreachable("; ".join(missing))
    return view


def not_seen(side: ClusterView, now: float, reason: str = "not looked at") -> tuple[str, ...]:
    """What is not known of one side, and why: one sentence a reason."""
    reasons: dict[str, list[str]] = {}
    for part in side.parts:
        observed = getattr(side, part)
        if observed.current is None:
            last = f" (last seen {age(now - observed.at)})" if observed.at is not None else ""
            reasons.setdefault((observed.error or reason) + last, []).append(part)
    return tuple(
        f"{side.name}: {'everything' if len(parts) == len(side.parts) else ', '.join(parts)}: {why}"
        for why, parts in reasons.items()
    )


def command_line(*words: str, confirm: Sequence[str] = ()) -> str:
    """What to type, quoted for a shell."""
    flags = [word for step in confirm for word in ("--confirm", step)]
    return shlex.join(["hbase-ferry", *words, *flags])


def goes_on(view: View, peer_id: str) -> tuple[str, ...]:
    """What keeps running in the clusters when nobody watches."""
    running = [job for job in view.jobs.values() if job.phase in (JobPhase.NEW, JobPhase.RUNNING)]
    lines = [f"job {job.id} goes on running on {view.side(job.side).name}" for job in running]
    peer = view.source.peer(peer_id)
    if peer is not None:
        doing = (
            "shipping to the target" if peer.enabled else "holding every new write back on the source's disk"
        )
        lines.append(f"peer {peer_id} goes on {doing}")
    return tuple(lines) or ("nothing of this migration is running in the clusters",)
