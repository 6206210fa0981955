"""A migration into the emulator that gets into trouble, seen as a front end sees it: poll by poll, through the service.

Invariant: what is asked of the product is asked of finished looks of its own pollers, a poll interval apart; whether
the trouble is there at all is read from the servers themselves. Called by the tests of trouble on real servers.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.bigtable import BigtableLab
from lab.places import LabError
from real_crossing import Crossing
from waiting import wait_until

from hbase_ferry.errors import FerryError
from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.ledger import Loss
from hbase_ferry.insight.lag import PeerState, PeerTruth, judge_peer
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.migration.bigtable.losses import losses
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.core import StepStatus
from hbase_ferry.model.view import View

POLLS = 2
"""Looks at the counters within which the product has to be right."""
SERVERS = ("server1", "server2")
WORKS = (PeerState.IDLE, PeerState.CATCHING_UP)


@dataclass(frozen=True)
class Seen:
    """What a front end shows after one poll."""

    view: View
    causes: Mapping[str, Cause]
    truth: PeerTruth
    steps: Mapping[str, StepStatus]
    closed: Mapping[str, tuple[str, ...]]
    "step id -> why it must not begin"
    losses: Mapping[str, Loss]

    def __str__(self) -> str:
        told = [f"{cause.name}: {cause.evidence}" for cause in self.causes.values()]
        return "\n".join([self.truth.text, *told, *(text for why in self.closed.values() for text in why)])


class Troubled(Crossing):
    """A small table of its own, its migration, and the pollers of its front end."""

    def __init__(
        self,
        lab: BigtableLab,
        folder: Path,
        name: str,
        *,
        peer: str = "",
        moves: str = "",
        peer_bandwidth: int = 0,
        **bigtable: object,
    ) -> None:
        """`peer`: whose state is judged; `moves`: the table of the migration. Empty: its own."""
        self.lab = lab
        workload = lab.workload(name, table=f"ferry:{name}" if moves else "")
        yaml = lab.config_yaml(
            tables=[moves or workload.table],
            name=name,
            peer_id=f"ferry_{name}",
            journal=str(folder / f"{name}.journal"),
            peer_bandwidth=peer_bandwidth,
            bigtable=bigtable,
        )
        super().__init__(workload, 300, yaml)
        self.service = self.ferry.service
        self.peer = peer or self.settings.peer_id
        self._polled = 0.0
        self._closed = False

    def until(self, last: str) -> None:
        """Every step up to `last`, each confirmed as its preview asks; then the pollers begin."""
        for step in self.service.plan.steps:
            self.do(step.id)
            if step.id == last:
                break
        self.ferry.start()

    def do(self, step: str, stop: threading.Event | None = None) -> None:
        """One step, to its end or until `stop` is set."""
        try:
            list(self.service.execute(step, self.service.preview(step).confirmation.expected, stop))
        except FerryError as error:
            told = "\n".join(f"{e.kind} {e.step} {e.text}" for e in self.service.events()[-12:])
            raise AssertionError(f"{step}: {error}\n{told}") from error

    def close(self) -> None:
        """Leaves no peer behind: the connection of a region server belongs to all its Bigtable peers."""
        if self._closed:
            return
        self._closed = True
        ours = {self.settings.peer_id, f"{self.settings.peer_id}_dry"}
        seen = self.service.observe().source.peers.value
        super().close()
        for peer in ours if seen is None else ours.intersection(peer.id for peer in seen):
            with contextlib.suppress(LabError):
                self.lab.set_peer(peer, "remove")

    # ---- what the product says

    def poll(self) -> Seen:
        """The first whole look at the source that began a poll interval after the one before. A target that does not
        answer is not waited for."""
        threading.Event().wait(max(0.0, self._polled + self.settings.poll_seconds - time.monotonic()))
        self._polled, begun = time.monotonic(), time.time()
        self.ferry.poke()

        def looked() -> bool:
            view = self.service.view
            parts = (view.source.servers, view.source.load, view.target.tables)
            return all(part.error is not None or (part.at or 0) >= begun for part in parts)

        wait_until(looked, 60, "a look at both sides")
        return self.seen()

    def seen(self) -> Seen:
        """What is shown now."""
        view, steps = self.service.view, self.service.plan.steps
        ctx = BigtableContext(self.settings, self.service.run_id, self.service.clock)
        return Seen(
            view,
            {cause.name: cause for cause in self.service.causes(view)},
            judge_peer(self.peer, tuple(self.service.sight.history)),
            {status.step.id: status for status in self.service.status(view)},
            {step.id: step.blocked(view) for step in steps},
            {loss.kind: loss for loss in losses(ctx, view)},
        )

    def says(self, what: str, there: Callable[[], object], right: Callable[[Seen], object]) -> Seen:
        """Waits until it is `there`, seen on the servers; within two polls of the counters the product must be right.

        Returns what it said then.
        """
        wait_until(there, 60, what)
        for _ in range(POLLS):
            seen = self.poll()
            if right(seen):
                return seen
        raise AssertionError(f"{what}: there, and after {POLLS} polls the product says\n{seen}")

    def comes_to(self, what: str, right: Callable[[Seen], object], seconds: float = 20) -> Seen:
        """Polls until the product says so: a state that is known only after some time, such as 10 s of a stall."""
        end = time.monotonic() + seconds
        while True:
            seen = self.poll()
            if right(seen):
                return seen
            assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s; the product says\n{seen}"

    # ---- what the servers say

    def counter(self, name: str, server: str = "") -> int:
        """One counter of the peer's, summed over the region servers (or of one)."""
        key = f"source.{self.peer}.{name}"
        return sum(int(self.lab.replication_bean(each).get(key, 0)) for each in SERVERS if server in ("", each))

    def started(self, server: str) -> bool:
        """Whether the endpoint runs there: in its own bean, and in a heartbeat that reached the master."""
        begins = f"localhost,{self.lab.source.ports[server]},"
        queues = self.service.view.source.queues(self.peer)
        told = any(queue.server.startswith(begins) and queue.running for queue in queues)
        return told and self.counter(library.LOG_QUEUE, server) > 0 == self.counter(library.INITIALIZING, server)

    def tries(self) -> Callable[[], bool]:
        """Whether every region server hands entries over without a pause while it ships nothing."""
        begun: dict[str, tuple[int, int]] = {}

        def again() -> bool:
            now = {server: self._tried(server) for server in SERVERS}
            for server, (_, shipped) in now.items():
                if begun.get(server, (0, -1))[1] != shipped:
                    begun[server] = now[server]
            return all(now[server][0] > begun[server][0] + 100 for server in SERVERS)

        return again

    def _tried(self, server: str) -> tuple[int, int]:
        return self.counter(library.ELIGIBLE_ENTRIES[0], server), self.counter(library.SHIPPED, server)

    def ships(self) -> Callable[[], bool]:
        """Whether every region server has shipped something from now on."""
        begun = {server: self.counter(library.SHIPPED, server) for server in SERVERS}
        return lambda: all(self.counter(library.SHIPPED, server) > begun[server] for server in SERVERS)
