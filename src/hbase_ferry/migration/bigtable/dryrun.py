"""The dry-run peer: it counts what the library could not carry over and sends nothing. Reported, then removed.

Its switch is a CONFIG of the peer, and with a CONFIG the library finds its connection keys only in core-site.xml
(lab-bigtable.md §4): the endpoint that does not start shows it, and the peer is taken away again. The real peer has
another id: a dry-run peer that is updated goes on counting (§4.7).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hbase_ferry.insight.bigtable.startup import not_started
from hbase_ferry.insight.format import duration, plural
from hbase_ferry.migration import commands
from hbase_ferry.migration.bigtable.losses import counters_now, dry_run_losses
from hbase_ferry.migration.bigtable.names import DRY_RUN, BigtableContext
from hbase_ferry.migration.bigtable.peer import START_SECONDS, add_endpoint_peer
from hbase_ferry.migration.bigtable.tables import schema_gate
from hbase_ferry.migration.context import standing
from hbase_ferry.migration.core import Action, Effect, Gate, Progress, Risk
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.migration.steps.prepare import Scope
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import Proof, View

COUNTING = "dry-run-counts"
"""Kind of the proof that the dry-run peer was seen to run on every server."""


def counting(view: View, dry_peer_id: str) -> Proof | None:
    """Proof that the dry-run peer, as it stands, was seen to run everywhere."""
    return standing(view, COUNTING, dry_peer_id, "dry-run")


@dataclass(frozen=True, kw_only=True)
class EarlyScope(Scope):
    """Raises the scope before any peer of ours exists: a dry-run peer counts only writes that carry it."""

    def gates(self, view: View) -> tuple[Gate, ...]:
        return tuple(gate for gate in super().gates(view) if gate.name != "peer.holding")


@dataclass(frozen=True, kw_only=True)
class DryRun(FerryStep):
    """A part of the dry run; each is done once the dry run's result is on record."""

    ctx: BigtableContext = field(repr=False)

    def result(self, view: View) -> Proof | None:
        """What it counted."""
        return view.proof("dry-run", self.ctx.dry_peer_id)

    def superseded(self, view: View) -> bool:
        return self.result(view) is not None or view.proof("holding", self.ctx.peer_id) is not None

    def known(self, view: View) -> bool:
        """Whether the source's peers were seen."""
        return view.source.peers.current is not None

    def foreign(self, view: View) -> str | None:
        """Why the peer of that id is not our dry run's; None: it is, or there is none."""
        peer, identity = view.source.peer(self.ctx.dry_peer_id), view.source.identity.current
        if peer is None:
            return None
        counts = peer.endpoint == self.ctx.endpoint(identity.major if identity else 2)
        counts = counts and peer.config.get(DRY_RUN) == "true"
        if counts and standing(view, "before-dry-run", peer.id, "dry-run") is not None:
            return None
        what = "was not added by this migration" if counts else f"has no {DRY_RUN}: it would ship"
        return f"peer {peer.id} on {self.name(Side.SOURCE)} {what}. Look whose it is and remove it, then do this again"

    def removal(self) -> Action:
        """Removes the dry-run peer."""
        peer = self.ctx.dry_peer_id
        return self.act(
            Side.SOURCE,
            "peer.remove",
            {"id": peer},
            f"remove_peer {commands.ruby(peer)}",
            f"peer {peer}: it shipped nothing, nothing is lost with it",
        )

    def idle(self, view: View) -> str | None:
        """Why the peer does not count everywhere; None: it does."""
        queues = view.source.queues(self.ctx.dry_peer_id)
        if not queues:
            return f"no queue of {self.ctx.dry_peer_id} was seen on {self.name(Side.SOURCE)}"
        servers = not_started(view.source, self.ctx.dry_peer_id)
        identity = view.source.identity.current
        dark = set(identity.servers if identity else ()) - {queue.server for queue in queues}
        if dark:
            return f"{plural(len(dark), 'region server')} without a queue of {self.ctx.dry_peer_id} yet"
        if not servers:
            return None
        return (
            f"the dry-run peer does not run on {', '.join(servers[:3])}: with a CONFIG the library finds its keys only "
            f"in core-site.xml. Undo step dry-run, put the google.bigtable.* keys there and do it again (no server has "
            f"to be restarted), or set dry_run: false"
        )


@dataclass(frozen=True, kw_only=True)
class AddDryRunPeer(DryRun):
    """Adds the dry-run peer, lets it read and sees it start on every server."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        identity, peer = view.source.identity.current, view.source.peer(self.ctx.dry_peer_id)
        cfs = {t.name: list(t.families) for t in self.ctx.settings.tables}
        major = identity.major if identity else 2
        add = add_endpoint_peer(self, view, self.ctx.dry_peer_id, cfs, {DRY_RUN: "true"}, major)
        on = self.act(
            Side.SOURCE,
            "peer.enable",
            {"id": self.ctx.dry_peer_id},
            f"enable_peer {commands.ruby(self.ctx.dry_peer_id)}",
            f"peer {self.ctx.dry_peer_id}: reads every WAL and counts",
        )
        known = self.known(view)
        return (
            Effect(add, (peer is not None) if known else None),
            Effect(on, (peer is not None and peer.enabled) if known else None),
        )

    def gates(self, view: View) -> tuple[Gate, ...]:
        foreign = self.foreign(view)
        own = (Gate("dry-run.ours", False, foreign),) if foreign else ()
        return (*own, *(schema_gate(self, view, t.name) for t in self.ctx.settings.tables))

    def prior(self, view: View) -> Proof | None:
        if not self.known(view) or view.source.peer(self.ctx.dry_peer_id) is not None:
            return None
        before = counters_now(view, self.ctx.dry_peer_id)
        return Proof("before-dry-run", self.ctx.dry_peer_id, view.at, before, "the library's counters before it")

    @property
    def adds_peer(self) -> str:
        return self.ctx.dry_peer_id

    def lost(self, view: View) -> Proof | None:
        """A dry-run peer that went before its result was on record has counted nothing."""
        gone = self.known(view) and view.source.peer(self.ctx.dry_peer_id) is None
        if not gone or self.superseded(view) or counting(view, self.ctx.dry_peer_id) is None:
            return None
        return Proof("undone", self.id, view.at, {}, f"peer {self.ctx.dry_peer_id} is gone before its time was over")

    def waiting_for(self, view: View) -> str | None:
        if counting(view, self.ctx.dry_peer_id):
            return None
        return self.idle(view) or "it runs on every server; not yet on record"

    def proves(self, view: View) -> Proof | None:
        if self.idle(view):
            return None
        return Proof(COUNTING, self.ctx.dry_peer_id, view.at, {}, f"{self.ctx.dry_peer_id} counts from now on")

    def failure(self, view: View) -> str | None:
        before, peer = view.proof("before-dry-run", self.ctx.dry_peer_id), view.source.peer(self.ctx.dry_peer_id)
        if foreign := self.foreign(view):
            return foreign
        if before is None or peer is None or view.at - before.at < START_SECONDS:
            return None
        return None if counting(view, self.ctx.dry_peer_id) else self.idle(view)

    def undo(self, view: View) -> tuple[Action, ...]:
        gone = view.source.peer(self.ctx.dry_peer_id) is None
        return () if gone or self.foreign(view) else (self.removal(),)


@dataclass(frozen=True, kw_only=True)
class CountIncompatible(DryRun):
    """Waits until the dry-run peer has read for its time on every server, and puts on record what it counted."""

    def waiting_for(self, view: View) -> str | None:
        return None if self.result(view) else self._wait(view) or "every server counted for its time"

    def _wait(self, view: View) -> str | None:
        begun, idle = counting(view, self.ctx.dry_peer_id), self.idle(view)
        if begun is None or idle:
            return idle or "the dry run has not begun"
        waited, wanted = view.at - begun.at, self.ctx.bigtable.dry_run_seconds
        if waited < wanted:
            return f"the dry run has counted for {duration(waited)} of {duration(wanted)}"
        return None if view.source.servers.current is not None else "no counters seen"

    def proves(self, view: View) -> Proof | None:
        if self._wait(view) is not None:
            return None
        counted = self._counted(view)
        basis = {f"line.{n}": text for n, text in enumerate(counted)}
        return Proof("dry-run", self.ctx.dry_peer_id, view.at, basis, "; ".join(counted) or "nothing incompatible")

    def _counted(self, view: View) -> list[str]:
        before = view.proof("before-dry-run", self.ctx.dry_peer_id)
        return [loss.text for loss in dry_run_losses(self.ctx, view, before.basis if before else {})]

    def failure(self, view: View) -> str | None:
        if self.superseded(view) or not self.known(view) or view.source.peer(self.ctx.dry_peer_id) is not None:
            return None
        return f"peer {self.ctx.dry_peer_id} is gone before its time was over: do step dry-run again"

    def progress(self, view: View) -> Progress | None:
        begun = counting(view, self.ctx.dry_peer_id)
        if begun is None:
            return None
        wanted = int(self.ctx.bigtable.dry_run_seconds)
        return Progress(min(wanted, int(view.at - begun.at)), wanted, "seconds", "; ".join(self._counted(view)))


@dataclass(frozen=True, kw_only=True)
class RemoveDryRunPeer(DryRun):
    """Removes the dry-run peer; the real one gets an id of its own."""

    risk: Risk = Risk.REVERSIBLE

    def superseded(self, view: View) -> bool:
        return False

    def effects(self, view: View) -> tuple[Effect, ...]:
        gone = view.source.peer(self.ctx.dry_peer_id) is None
        return (Effect(self.removal(), gone if self.known(view) else None),)

    def waiting_for(self, view: View) -> str | None:
        """Gone before it ever counted is not a dry run that ended."""
        counted = self.result(view) or view.proof("holding", self.ctx.peer_id)
        return None if counted else "the dry run has no result yet"
