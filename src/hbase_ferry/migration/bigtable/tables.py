"""The target's tables: created with families, rules and splits, or compared with what is wanted.

The peer stalls, in a loop without a pause, on a table or family that does not exist (lab-bigtable.md §5), so that every
one is there before the peer is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hbase_ferry.migration import commands
from hbase_ferry.migration.bigtable import beam, schema
from hbase_ferry.migration.bigtable.imports import import_gates
from hbase_ferry.migration.bigtable.names import BigtableContext, accepted, foreign_gate, holds_history, instance_path
from hbase_ferry.migration.context import standing
from hbase_ferry.migration.core import Action, Effect, Gate, Risk
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import Proof, View


@dataclass(frozen=True, kw_only=True)
class TargetTable(FerryStep):
    """Creates one table with its families and pre-splits, or gives an existing one what it lacks."""

    ctx: BigtableContext = field(repr=False)

    def wanted(self, view: View) -> dict[str, str]:
        """Family -> rule; empty: the source's table was not seen."""
        table = view.source.table(self.lane)
        return schema.families_to_create(table, self.ctx.families(view, self.lane)) if table else {}

    def effects(self, view: View) -> tuple[Effect, ...]:
        wanted, there = self.wanted(view), view.target.table(self.lane)
        known = view.target.tables.current is not None and bool(wanted)
        effects = [Effect(self._create(view, wanted), (there is not None) if known else None)]
        lacking = schema.differing(wanted, there) if there is not None else {}
        if lacking:
            effects.append(Effect(self._families(view, lacking), False))
        if self.ctx.bigtable.protect:
            on = there is not None and there.attributes.get("deletion_protection") == "true"
            effects.append(Effect(self._protect(on=True), on if known else None))
        return tuple(effects)

    def _create(self, view: View, wanted: dict[str, str]) -> Action:
        splits: list[Json] = list(schema.splits(view.source.table_writes(self.lane)))
        rules = ",".join(f"{name}:{rule}" for name, rule in wanted.items()) or "<families>"
        shown = f' "splits=<{len(splits)} region boundaries of the source>"' if splits else ""
        return self.act(
            Side.TARGET,
            "table.create",
            {"table": self.lane, "families": dict(wanted), "splits": splits},
            f'{self._cbt} createtable {self.lane} "families={rules}"{shown}',
            f"table {self.lane} in {instance_path(self.ctx.bigtable)}, {len(splits) + 1} tablets",
            unknown=() if wanted else (f"families of {self.lane}",),
        )

    def _families(self, view: View, lacking: dict[str, str]) -> Action:
        there = view.target.table(self.lane)
        new = [name for name in lacking if there is None or there.family(name) is None]
        lines = [f"{self._cbt} createfamily {self.lane} {name}" for name in new]
        lines += [f'{self._cbt} setgcpolicy {self.lane} {name} "{rule}"' for name, rule in lacking.items()]
        return self.act(
            Side.TARGET,
            "table.families",
            {"table": self.lane, "families": dict(lacking)},
            "; ".join(lines),
            f"families {', '.join(lacking)} of {self.lane} in {instance_path(self.ctx.bigtable)}",
        )

    @property
    def _cbt(self) -> str:
        own = self.ctx.bigtable
        return commands.cbt(own.project, own.instance, own.emulator)

    def _protect(self, *, on: bool) -> Action:
        return self.act(
            Side.TARGET,
            "table.protect",
            {"table": self.lane, "on": on},
            self._protecting(on),
            f"deletion protection of {self.lane}",
        )

    def _protecting(self, on: bool) -> str:
        """gcloud has no way to an emulator: what it prints for one is a comment, and changes nothing where pasted."""
        own, word = self.ctx.bigtable, "on" if on else "off"
        if own.emulator:
            return f"# no command, gcloud reaches no emulator: the API switches deletion protection {word}"
        flag = "--deletion-protection" if on else "--no-deletion-protection"
        return (
            f"gcloud bigtable instances tables update {self.lane} --instance={own.instance} --project={own.project} "
            f"{flag}"
        )

    def gates(self, view: View) -> tuple[Gate, ...]:
        there = view.target.table(self.lane)
        if there is None:
            return import_gates(self.ctx, view, self.lane)
        if self.created(view):
            return ()
        name = foreign_gate(view, self.lane)
        text = (
            f"table {self.lane} exists in {instance_path(self.ctx.bigtable)} and this migration did not create it: "
            f"rows that lie in it would look like differences. Drop it, or accept gate {name} with a reason if it is "
            f"empty and meant for this migration"
        )
        return (Gate(name, False, text, waivable=True),)

    def says(self, view: View) -> tuple[str, ...]:
        """Google's own tool for the same, for who prefers it."""
        identity = view.source.identity.current
        settings, key = self.ctx.settings, identity.cluster_key if identity else ""
        if self.created(view) or not (settings.source.cluster_key or key):
            return ()
        argv = beam.create_table_with_translator(settings.source, self.ctx.bigtable, [self.lane], key)
        if argv is None:
            return ()
        return (
            f"Google's schema translator does the same, run by you before this step: {commands.line(argv)}; "
            f"then accept gate {foreign_gate(view, self.lane)}",
        )

    def created(self, view: View) -> bool:
        """Whether this migration created the table: it was seen absent before, and not taken back since."""
        return standing(view, "before-table", self.lane, self.id) is not None

    def prior(self, view: View) -> Proof | None:
        if view.target.tables.current is None or view.target.table(self.lane) is not None:
            return None
        note = f"{instance_path(self.ctx.bigtable)} had no table {self.lane} before"
        # on record anew each time: a table that was lost and is created again is another one, without the history
        return Proof("before-table", self.lane, view.at, {"generation": f"{view.at:.3f}"}, note)

    def lost(self, view: View) -> Proof | None:
        """A table that is gone after rows came into it: another one of its name has none of them."""
        gone = view.target.tables.current is not None and view.target.table(self.lane) is None
        ours = self.created(view) or accepted(view, self.lane)
        if not gone or not ours or self.superseded(view) or not holds_history(self.ctx, view, self.lane):
            return None
        return Proof("undone", self.id, view.at, {}, f"{self.lane} is gone from {self.name(Side.TARGET)}, and its rows")

    def disowned(self, action: Action, refusal: str, at: float) -> Proof | None:
        """A refused creation made nothing: a table that appears later is somebody else's."""
        if action.method != "table.create":
            return None
        return Proof("undone", self.id, at, {}, f"the creation was refused: {self.lane} is not ours")

    def done(self, view: View) -> bool | None:
        """An existing table of somebody else is not done until it is accepted, whatever it looks like."""
        found = super().done(view)
        known = self.created(view) or accepted(view, self.lane)
        return False if found and not known and not self.superseded(view) else found

    def waiting_for(self, view: View) -> str | None:
        known = self.created(view) or accepted(view, self.lane)
        return None if known else f"table {self.lane} was there before and is not accepted yet"

    def begun(self, view: View) -> bool:
        return self.created(view) and super().begun(view)

    def undo(self, view: View) -> tuple[Action, ...]:
        there = view.target.table(self.lane)
        if there is None or not self.created(view) or self.superseded(view):
            return ()
        drop = self.act(
            Side.TARGET,
            "table.drop",
            {"table": self.lane},
            f"{self._cbt} deletetable {self.lane}",
            f"table {self.lane} in {instance_path(self.ctx.bigtable)} with every row in it",
            Risk.DESTRUCTIVE,
        )
        protected = there.attributes.get("deletion_protection") == "true"
        return (self._protect(on=False), drop) if protected else (drop,)


def schema_gate(step: FerryStep, view: View, table: str) -> Gate:
    """Open while the target's table has every migrating family, keeping what the source keeps."""
    source, target = view.source.table(table), view.target.table(table)
    if source is None or view.target.tables.current is None:
        return Gate(f"schema.{table}", None, f"the families of {table} were not seen on both sides")
    wanted = schema.families_to_create(source, step.ctx.families(view, table))
    if target is None:
        text = f"{step.name(Side.TARGET)} has no table {table}: the peer would spin on it"
        return Gate(f"schema.{table}", False, text)
    missing = [name for name in wanted if target.family(name) is None]
    if missing:
        text = f"{table} on {step.name(Side.TARGET)} lacks family {', '.join(missing)}: the peer would spin on it"
        return Gate(f"schema.{table}", False, text)
    other = schema.differing(wanted, target)
    rules = "; ".join(f"{n} keeps {f.retention or 'all'}, not {r}" for n, r in other.items() if (f := target.family(n)))
    return Gate(f"retention.{table}", not other, f"{table} on {step.name(Side.TARGET)}: {rules}", waivable=True)
