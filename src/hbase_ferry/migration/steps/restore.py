"""Phase 2, on the target: the table is made out of the snapshot, and its major compaction is held off.

Provenance: before the restore is sent it is on disk that the target did not have the table. A table that was there
before is never taken for ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbase_ferry.migration import commands
from hbase_ferry.migration.context import generation, ours_on_target, standing
from hbase_ferry.migration.core import Action, Effect, Gate, Risk
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import Proof, View


@dataclass(frozen=True, kw_only=True)
class Restore(FerryStep):
    """Makes the table out of the snapshot on the target, enabled, with the migrating families only."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        name, table = self.ctx.snapshot(view, self.lane), view.target.table(self.lane)
        known = view.target.tables.current is not None
        restore = self.act(
            Side.TARGET,
            "snapshot.restore",
            {"name": name},
            f"restore_snapshot {commands.ruby(name)}",
            f"table {self.lane} on {self.name(Side.TARGET)}",
        )
        enable = self.act(
            Side.TARGET,
            "table.enable",
            {"table": self.lane},
            f"enable {commands.ruby(self.lane)}",
            f"table {self.lane} on {self.name(Side.TARGET)} (a restored absent table is ENABLED already)",
        )
        ours = table is not None and ours_on_target(view, self.lane)
        effects = [
            Effect(restore, ours if known else None),
            Effect(enable, (table is not None and table.enabled) if known else None),
        ]
        unwanted = self.ctx.unwanted_families(view, self.lane)
        if unwanted:
            gone = known and table is not None and not any(table.family(f) for f in unwanted)
            effects.append(
                Effect(
                    self.act(
                        Side.TARGET,
                        "table.delete_families",
                        {"table": self.lane, "families": list(unwanted)},
                        commands.delete_families(self.lane, unwanted),
                        f"families {', '.join(unwanted)} of the restored {self.lane}: they came with the snapshot",
                    ),
                    gone if known else None,
                )
            )
        return tuple(effects)

    def gates(self, view: View) -> tuple[Gate, ...]:
        known = view.target.tables.current is not None
        free = view.target.table(self.lane) is None or ours_on_target(view, self.lane)
        return (
            Gate(
                "target.absent",
                free if known else None,
                f"table {self.lane} exists on {self.name(Side.TARGET)} and this migration did not restore it: "
                f"look whose it is; drop or rename it there, or choose another table",
            ),
            self.holding(view, "until the history is there"),
        )

    def disowned(self, action: Action, refusal: str, at: float) -> Proof | None:
        """A refused restore made nothing: a table that appears later is somebody else's."""
        if action.method != "snapshot.restore":
            return None
        return Proof("undone", self.id, at, {}, f"the restore was refused: {self.lane} is not ours")

    def prior(self, view: View) -> Proof | None:
        if view.target.tables.current is None or view.target.table(self.lane) is not None:
            return None
        return Proof(
            "before-restore",
            self.lane,
            view.at,
            {"target": "absent", "generation": str(generation(view))},
            f"{self.lane} was not on {self.name(Side.TARGET)} before the restore",
        )

    def undo(self, view: View) -> tuple[Action, ...]:
        table = view.target.table(self.lane)
        ours = standing(view, "before-restore", self.lane, self.id) is not None
        if table is None or not ours or self.superseded(view):
            return ()
        off = self.act(
            Side.TARGET,
            "table.disable",
            {"table": self.lane},
            f"disable {commands.ruby(self.lane)}",
            f"table {self.lane} on {self.name(Side.TARGET)}",
            Risk.DESTRUCTIVE,
        )
        drop = self.act(
            Side.TARGET,
            "table.drop",
            {"table": self.lane},
            f"drop {commands.ruby(self.lane)}",
            f"table {self.lane} on {self.name(Side.TARGET)} with every row in it",
            Risk.DESTRUCTIVE,
        )
        return (off, drop) if table.enabled else (drop,)


@dataclass(frozen=True, kw_only=True)
class HoldCompaction(FerryStep):
    """Keeps the target from major-compacting until the peer has caught up.

    Without SERIAL a Delete may arrive before its Put; a major compaction in between drops the tombstone, and the
    Put then brings the row back for good (HBase guide, Serial Replication).
    """

    def effects(self, view: View) -> tuple[Effect, ...]:
        table = view.target.table(self.lane)
        action = self.act(
            Side.TARGET,
            "table.major_compaction",
            {"table": self.lane, "value": "0"},
            commands.alter_major_compaction(self.lane, "0"),
            f"{self.lane} on {self.name(Side.TARGET)}: no periodic major compaction; put back at the end",
        )
        if view.target.tables.current is None:
            return (Effect(action, None),)
        return (Effect(action, table is not None and table.major_compaction == "0"),)

    def prior(self, view: View) -> Proof | None:
        table = view.target.table(self.lane)
        if table is None:
            return None
        basis = {} if table.major_compaction is None else {"value": table.major_compaction}
        return Proof(
            "before-compaction",
            self.lane,
            view.at,
            basis,
            f"hbase.hregion.majorcompaction of {self.lane} was {table.major_compaction or 'not set'}",
        )

    def undo(self, view: View) -> tuple[Action, ...]:
        before, table = view.proof("before-compaction", self.lane), view.target.table(self.lane)
        if before is None or table is None or table.major_compaction == before.basis.get("value"):
            return ()
        value = before.basis.get("value")
        return (
            self.act(
                Side.TARGET,
                "table.major_compaction",
                {"table": self.lane, "value": value},
                commands.alter_major_compaction(self.lane, value),
                f"{self.lane}: as it was",
            ),
        )
