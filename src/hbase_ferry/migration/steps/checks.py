"""The step before all others: named checks of both sides, each a gate. What it needs was observed before it."""

from __future__ import annotations

from dataclasses import dataclass

from hbase_ferry.insight.preflight import Finding, preflight
from hbase_ferry.migration.core import Gate, Progress
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import Proof, View


@dataclass(frozen=True, kw_only=True)
class Preflight(FerryStep):
    """Named checks of both clusters. Sends nothing."""

    def findings(self, view: View) -> tuple[Finding, ...]:
        """Every check with its severity, as of this view."""
        settings = self.ctx.settings
        return preflight(
            view,
            self.ctx.wishes,
            self.ctx.peer_id,
            min_free_fraction=settings.gates.min_free_fraction,
            skip_tmp=settings.export.skip_tmp,
            run_id=self.ctx.run_id,
        )

    def gates(self, view: View) -> tuple[Gate, ...]:
        opened = {"ok": True, "warn": False, "block": False, "unknown": None}
        found = (
            Gate(f"preflight.{f.check}", opened[f.severity], f.text, warning=f.severity in ("warn", "unknown"))
            for f in self.findings(view)
        )
        return (*self._unseen(view), *found)

    def _unseen(self, view: View) -> tuple[Gate, ...]:
        """A closed gate for every listing that failed: a check without its facts is no check passed."""
        parts = ((view.side(side), part) for side in Side for part in ("namespaces", "tables", "peers", "snapshots"))
        return tuple(
            Gate(f"seen.{part}", None, f"the {part} of {seen.name} were not seen: {getattr(seen, part).error}")
            for seen, part in parts
            if part in seen.parts and getattr(seen, part).error is not None
        )

    def waiting_for(self, view: View) -> str | None:
        checked = view.proof("preflight", "migration")
        if checked is None:
            return "the checks have not been run and accepted"
        asked = checked.basis.get("about") == self._about()
        return None if asked else "the checks were run for other tables or another peer_id: run them again"

    def _about(self) -> str:
        """What the checks are about, as the configuration has it."""
        tables = (f"{table.name} {','.join(table.families)}".strip() for table in self.ctx.settings.tables)
        return "; ".join((*tables, self.ctx.peer_id))

    def proves(self, view: View) -> Proof | None:
        found = self.findings(view)
        count = {s: sum(f.severity == s for f in found) for s in ("ok", "warn", "unknown", "block")}
        if count["block"] or self._unseen(view):
            return None
        return Proof(
            "preflight",
            "migration",
            view.at,
            {**{k: str(v) for k, v in count.items()}, "about": self._about()},
            f"{len(found)} checks: {count['ok']} ok, {count['warn']} warnings, {count['unknown']} not known",
        )

    def progress(self, view: View) -> Progress | None:
        found = self.findings(view)
        return Progress(sum(f.severity == "ok" for f in found), len(found), "checks")
