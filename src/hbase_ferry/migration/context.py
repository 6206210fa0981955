"""What every step of one migration needs: its settings, its run id and the names made from them.

Invariant: a name is a pure function of settings, run id and the view's retries, so it is the same after a crash.
The run id is made once, with the journal, and is part of every snapshot, job and canary this migration makes:
what carries it is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hbase_ferry.insight.checks.base import TableWish
from hbase_ferry.migration.settings import Settings, TableSettings
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import ClusterView, Family, Side, Table
from hbase_ferry.model.view import Proof, View


@dataclass(frozen=True)
class Context:
    """Settings and run id of one migration."""

    settings: Settings
    run_id: str
    clock: Clock = field(default_factory=SystemClock, compare=False)
    "of the work that steps do themselves"

    @property
    def peer_id(self) -> str:
        return self.settings.peer_id

    @property
    def own_peers(self) -> frozenset[str]:
        """Ids of the peers that this plan adds and takes away again."""
        return frozenset((self.peer_id,))

    def side_name(self, side: Side) -> str:
        return self.settings.side(side).name

    def table(self, name: str) -> TableSettings:
        return next(table for table in self.settings.tables if table.name == name)

    @property
    def wishes(self) -> tuple[TableWish, ...]:
        """What checks and ledger are asked about."""
        return tuple(TableWish(table.name, table.families) for table in self.settings.tables)

    @property
    def snapshot_prefix(self) -> str:
        """What every snapshot of this run begins with."""
        return f"ferry-{self.run_id}-"

    def snapshot(self, view: View, table: str) -> str:
        """Snapshot name of the present generation: letters, digits, `-`, `.`, `_` only, never equal for two tables."""
        names = [t.name for t in self.settings.tables]
        flat = table.replace(":", "_")
        twins = [name for name in names if name.replace(":", "_") == flat]
        suffix = f"-{twins.index(table) + 1}" if len(twins) > 1 else ""
        return f"{self.snapshot_prefix}{flat}{suffix}{_mark(generation(view))}"

    def job(self, view: View, kind: str, table: str) -> str:
        """Job id of the present attempt: `<run>-<kind>-<table number>-<attempt>`."""
        base = self.base(view, kind, table)
        return f"{base}-{attempt(view, base)}"

    def base(self, view: View, kind: str, table: str) -> str:
        """What all attempts of one job or canary of this generation begin with."""
        number = [t.name for t in self.settings.tables].index(table) + 1 if table else 0
        return f"{self.run_id}{_mark(generation(view))}-{kind}-{number}"

    def families(self, view: View, table: str) -> tuple[str, ...]:
        """The families that migrate: those named, else all that the source shows; empty: not known yet."""
        named, seen = self.table(table).families, view.source.table(table)
        if named or seen is None:
            return named
        return tuple(family.name for family in seen.families)

    def unwanted_families(self, view: View, table: str) -> tuple[str, ...]:
        """Families of the source's table that do not migrate, although its snapshot carries them."""
        named = self.table(table).families
        seen = view.source.table(table)
        return tuple(f.name for f in seen.families if f.name not in named) if named and seen else ()


def generation(view: View) -> int:
    """How often this migration has added its peer. A peer that was removed dropped its backlog, so that whatever
    was snapshotted, exported or restored for the one before must be done anew, under new names."""
    return max(1, sum(proof.kind == "holding" for proof in view.proofs))


def _mark(number: int) -> str:
    return f"-g{number}" if number > 1 else ""


def attempt(view: View, base: str) -> int:
    """1 for the first attempt, one more for every retry on record."""
    return 1 + sum(proof.kind == "retry" and proof.subject == base for proof in view.proofs)


def scopes_of(table: Table, families: Iterable[str]) -> dict[str, int]:
    """Family -> replication scope."""
    found = (table.family(name) for name in families)
    return {family.name: family.scope for family in found if isinstance(family, Family)}


def standing(view: View, kind: str, subject: str, step_id: str) -> Proof | None:
    """The newest proof of that kind, unless its step was undone since."""
    return None if _place(view, "undone", step_id) > _place(view, kind, subject) else view.proof(kind, subject)


def held(view: View, peer_id: str) -> Proof | None:
    """Proof that the peer as it stands was seen to hold writes back; None: it never was, or was seen absent since."""
    since = max(_place(view, "before-peer", peer_id), _place(view, "undone", "add-peer"))
    return view.proof("holding", peer_id) if _place(view, "holding", peer_id) > since else None


def orphans(ctx: Context, view: View) -> tuple[str, ...]:
    """Peers that this migration added under a configuration which named them otherwise, and that are still there: the
    plan takes none of them away, and one that is enabled ships over the target's new writes."""
    added = {p.subject for p in view.proofs if p.kind in ("before-peer", "before-dry-run")} - ctx.own_peers
    return tuple(sorted(peer for peer in added if view.source.peer(peer) is not None))


def of_this_peer(view: View, kind: str, peer_id: str, subject: str = "") -> Proof | None:
    """The newest proof about the subject (empty: the peer's queues), unless the peer was added again since."""
    about = subject or peer_id
    return None if _place(view, "holding", peer_id) > _place(view, kind, about) else view.proof(kind, about)


def _place(view: View, kind: str, subject: str) -> int:
    """Where the newest proof of that kind stands in the journal, -1: nowhere. Clocks step back; the order does not."""
    places = (n for n, p in enumerate(view.proofs) if (p.kind, p.subject) == (kind, subject))
    return max(places, default=-1)


def of_its_shipping(view: View, kind: str, peer_id: str, subject: str = "") -> Proof | None:
    """The newest proof about the subject (empty: the peer's queues) while the peer ships, unless it was added again or
    its enabling was undone since."""
    return of_this_peer(view, kind, peer_id, subject) and standing(view, kind, subject or peer_id, "enable-peer")


def added_by_us(view: View, peer_id: str) -> bool:
    """Whether this migration added the peer (it was seen absent before, and not taken back since), or its operator
    vouches for it."""
    return standing(view, "before-peer", peer_id, "add-peer") is not None or "peer.ours" in view.waivers


def ours_on_target(view: View, table: str) -> bool:
    """Whether this migration restored the target's table: it was seen absent before our restore was sent, and the
    peer that held writes back then still exists."""
    proof = standing(view, "before-restore", table, f"restore:{table}")
    return proof is not None and proof.basis.get("generation") == str(generation(view))


def restored(view: View, table: str) -> bool | None:
    """Whether the target shows the table, enabled, and this migration restored it. None: not observed."""
    if view.target.tables.current is None:
        return None
    found = view.target.table(table)
    return found is not None and found.enabled and ours_on_target(view, table)


def observed(cluster: ClusterView, part: str) -> bool:
    """Whether the newest look at `part` gave a value."""
    return getattr(cluster, part).current is not None


def basis_scopes(proof: Proof | None) -> dict[str, int]:
    """The scopes a `before-scope` proof remembers."""
    if proof is None:
        return {}
    return {key.removeprefix("scope."): int(v) for key, v in proof.basis.items() if key.startswith("scope.")}


def staging_folders(ctx: Context) -> tuple[str, str] | None:
    """This run's own folder below the staging path, as source and target write it; None: the copy goes straight."""
    export = ctx.settings.export
    if not export.staging_source:
        return None
    own = f"ferry-{ctx.run_id}"
    return f"{export.staging_source.rstrip('/')}/{own}", f"{export.staging_target.rstrip('/')}/{own}"


def hash_directory(ctx: Context, view: View) -> str | None:
    """Where this run's verifications keep their hashes, below the source's file system; None: not known yet."""
    named, identity = ctx.settings.verify.hash_dir, view.source.identity.current
    if named:
        return f"{named.rstrip('/')}/{ctx.run_id}"
    if identity is None:
        return None
    scheme, _, rest = identity.rootdir.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}/tmp/hbase-ferry/{ctx.run_id}" if rest else None
