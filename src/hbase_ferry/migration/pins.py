"""What a migration is about: its clusters' ids, pinned at first contact, and its tables, pinned with the first change.

Invariant: what is pinned never changes, and nothing is sent to another cluster, or for other tables: names and proofs
of a migration hold each table's place in the list. Source and target are never the same. Held by the service, asked by
whoever acts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from hbase_ferry.errors import Refused
from hbase_ferry.migration.journal import Journal
from hbase_ferry.migration.settings import Settings
from hbase_ferry.migration.sight import ClusterPort
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import View


class Pins:
    """The pinned ids, in the journal and in the clusters' clients."""

    def __init__(self, settings: Settings, clusters: Mapping[Side, ClusterPort], journal: Journal) -> None:
        self._settings, self._clusters, self._journal = settings, clusters, journal
        self._pin_known()

    def _pin_known(self) -> None:
        for side, cluster in self._clusters.items():
            known = self._journal.get(f"cluster_id.{side.value}")
            if known is not None:
                cluster.pin(known)

    def pin(self, view: View, sides: Collection[Side] = tuple(Side)) -> None:
        """Pins the ids of these sides at first contact. Raises Refused where one changed, is unknown, or both are
        equal."""
        ids = {side: i.cluster_id if (i := view.side(side).identity.current) else None for side in Side}
        for side in sides:
            name, error = self._settings.side(side).name, view.side(side).identity.error
            self.refuse_another(view, side)
            if ids[side] is None:
                raise Refused(f"{name} ({side.value}) does not say which cluster it is: {error or 'never seen'}")
        if ids[Side.SOURCE] == ids[Side.TARGET]:
            raise Refused(f"source and target are the same cluster, {ids[Side.SOURCE]}: check both sides' settings")
        for side in sides:
            cluster_id = ids[side]
            self._clusters[side].pin(self._journal.pin(f"cluster_id.{side.value}", str(cluster_id)))

    def pin_tables(self) -> None:
        """Pins tables and families, before the first change is sent for them."""
        self._journal.pin("tables", _tables(self._settings))

    def refuse_other_tables(self) -> None:
        """Raises Refused where the configuration names other tables or families, or the same in another order."""
        pinned = self._journal.get("tables")
        if pinned is None or pinned == _tables(self._settings):
            return
        began = "; ".join(_described(name, families) for name, families in json.loads(pinned))
        raise Refused(
            f"the configuration names other tables or families than this migration began with, or in another order. "
            f"It began with: {began}. Put these back as they were; further tables are another migration, with a name, "
            f"a peer_id and a journal of its own"
        )

    def refuse_another(self, view: View, side: Side) -> None:
        """Raises Refused where this side is not the cluster the migration began with."""
        pinned, seen = self._journal.get(f"cluster_id.{side.value}"), view.side(side).identity.value
        if pinned is not None and seen is not None and seen.cluster_id != pinned:
            raise Refused(
                f"{self._settings.side(side).name} ({side.value}) is cluster {seen.cluster_id}; this migration began "
                f"with {pinned}: nothing is sent to another cluster. If the old one is gone for good, move the "
                f"journal {self._journal.path or '(in memory)'} away to begin anew"
            )


def _tables(settings: Settings) -> str:
    return json.dumps([[table.name, list(table.families)] for table in settings.tables])


def _described(name: str, families: Collection[str]) -> str:
    return f"{name} ({', '.join(families)})" if families else name
