"""The context of a migration to Bigtable, and the words for its instance."""

from __future__ import annotations

from dataclasses import dataclass

from hbase_ferry.insight.bigtable import library
from hbase_ferry.migration.bigtable.settings import BackfillEngine, BigtableSettings, CompareEngine
from hbase_ferry.migration.compare.copying import KIND as COPY
from hbase_ferry.migration.context import Context, generation, standing
from hbase_ferry.model.view import Proof, View

DROPPED = "dropped"
"""In the basis of a `backfilled` proof: what the pipeline left out, known long after its job's files are gone."""
UNCOUNTED = "uncounted"
"""In the basis of a `backfilled` proof: options by which the pipeline may have left out what it did not count."""
DRY_RUN = "google.bigtable.replication.enable_dry_run"
"""Switches a peer to counting only; read from the peer's own CONFIG (bigtable.md §1.1)."""


@dataclass(frozen=True)
class BigtableContext(Context):
    """Settings and run id of a migration whose target is an instance."""

    @property
    def bigtable(self) -> BigtableSettings:
        """The target's own settings. Raises ValueError for another kind of target: a caller's bug."""
        if self.settings.target.bigtable is None:
            raise ValueError(f"{self.settings.target.name} is no Bigtable instance")
        return self.settings.target.bigtable

    @property
    def uses_beam(self) -> bool:
        """Whether Google's pipelines carry the history."""
        return self.bigtable.backfill.engine is not BackfillEngine.FERRY

    @property
    def uses_snapshot(self) -> bool:
        """Whether the history is read from a snapshot."""
        return self.bigtable.backfill.engine is BackfillEngine.IMPORTSNAPSHOT

    @property
    def uses_hash_table(self) -> bool:
        """Whether equality is proved by HashTable and sync-table."""
        return self.bigtable.compare.engine is CompareEngine.SYNC_TABLE

    @property
    def own_peers(self) -> frozenset[str]:
        return super().own_peers | ({self.dry_peer_id} if self.bigtable.dry_run else frozenset())

    @property
    def dry_peer_id(self) -> str:
        """The dry-run peer's own id: an id that was used once keeps its counters until the servers restart."""
        return dry_peer(self.peer_id)

    def base(self, view: View, kind: str, table: str) -> str:
        """As `Context.base`; another one for a table that was created again, since its first history is lost."""
        times = creations(view, table)
        return super().base(view, f"{kind}-t{times}" if times > 1 else kind, table)

    def endpoint(self, major: int) -> str:
        """The endpoint class for that HBase line."""
        return self.bigtable.endpoint or library.endpoint_class(major)


def copy_subject(ctx: Context, view: View, table: str) -> str:
    """What the proofs of a table's copy in the present attempt speak of."""
    return ctx.job(view, "copy", table)


def dry_peer(peer_id: str) -> str:
    """The id of the dry run's peer."""
    return f"{peer_id}_dry"


def instance_path(settings: BigtableSettings) -> str:
    """The instance as Google's API names it."""
    return f"projects/{settings.project}/instances/{settings.instance}"


def creations(view: View, table: str) -> int:
    """How often this migration got the target's table: accepted as it was, or seen absent and created."""
    created = sum((proof.kind, proof.subject) == ("before-table", table) for proof in view.proofs)
    return created + sum(_foreign(table, number) in view.waivers for number in range(_taken_back(view, table) + 1))


def foreign_gate(view: View, table: str) -> str:
    """Name of the gate that accepts a table which was there before; of the one that is there now alone."""
    return _foreign(table, _taken_back(view, table))


def _foreign(table: str, number: int) -> str:
    return f"target.foreign.{table}" + (f".{number + 1}" if number else "")


def _taken_back(view: View, table: str) -> int:
    """How often a table of this name was taken back, or seen to be gone after rows were copied into it."""
    return sum((p.kind, p.subject) == ("undone", f"table:{table}") for p in view.proofs)


def accepted(view: View, table: str) -> bool:
    """Whether the table, which this migration did not create, is accepted as it is."""
    return foreign_gate(view, table) in view.waivers


def holds_history(ctx: Context, view: View, table: str) -> bool:
    """Whether a copy of the history, for whichever peer, has begun to fill the table as it is, or was finished."""
    created = str(creations(view, table))
    if any((p.kind, p.subject, p.basis.get("creation")) == ("backfilled", table, created) for p in view.proofs):
        return True
    bases = {name.rpartition("-")[0] for name in (*(p.subject for p in view.proofs if p.kind == COPY), *view.jobs)}
    ends = [(now := ctx.base(view, kind, table))[now.index(f"-{kind}") :] for kind in ("copy", "import")]
    return any(base.startswith(ctx.run_id) and base.endswith(tuple(ends)) for base in bases)


def history_basis(view: View, table: str) -> dict[str, str]:
    """What a copied history belongs to: the peer that holds the writes back, and the table it was copied into."""
    return {"generation": str(generation(view)), "creation": str(creations(view, table))}


def of_this_history(view: View, table: str, proof: Proof) -> bool:
    """Whether a proof about a copy speaks of one for the present peer, into the table as it is."""
    return history_basis(view, table).items() <= proof.basis.items()


def backfilled(view: View, table: str) -> bool:
    """Whether the table's history was copied for the peer that holds its writes back, into the table as it is."""
    return _history(view, table) is not None


def dropped_from_history(view: View, table: str) -> int:
    """Rows, cells and keys that the copy of the history, as it lies there, left out."""
    proof = _history(view, table)
    return int(proof.basis.get(DROPPED, "0")) if proof is not None else 0


def uncounted_from_history(view: View, table: str) -> str:
    """The options by which the copy of the history, as it lies there, may have left out what nobody counted."""
    proof = _history(view, table)
    return proof.basis.get(UNCOUNTED, "") if proof is not None else ""


def _history(view: View, table: str) -> Proof | None:
    proof = standing(view, "backfilled", table, f"table:{table}")
    return proof if proof is not None and of_this_history(view, table, proof) else None
