"""Writing one row of the source to the target again, where a comparison found it different. On demand only.

Invariant: the intent is on disk before the row is written; cells are added and overwritten with their own times, none
is deleted. Called by the service.
"""

from __future__ import annotations

from collections.abc import Iterator

from hbase_ferry.errors import FerryError, Refused
from hbase_ferry.migration.compare.repair import Repair
from hbase_ferry.migration.sampling import shown
from hbase_ferry.migration.sending import Sender
from hbase_ferry.model.event import Event, EventKind

STEP = "repair"


class Repairer(Sender):
    """One repair of one row."""

    def row(self, table: str, families: tuple[str, ...], key: bytes, confirmation: str) -> Iterator[Event]:
        """Raises Refused where the key is not typed or the source has no such row, AgentError, Unreachable."""
        told = shown(key)
        if confirmation != told:
            raise Refused(f"the repair of row {told} has to be confirmed by typing {told}")
        view = self._service.observe()
        self._service.pins.pin(view)
        if view.proof("switched", "migration") is not None:
            raise Refused(
                f"the clients write to {view.target.name}: a row of the source, with its old times, would bring back "
                f"what they deleted since. Repair it from the application"
            )
        text = f"write row {told} of {table} to {view.target.name} again"
        yield self._service.emit(EventKind.STEP_STARTED, STEP, text)
        intent = self._service.emit(EventKind.INTENT, STEP, text, {"method": "work", "params": {}})
        yield intent
        try:
            done = Repair(table, families, self._service.kind.limits).row(self._clusters, key.hex())
        except FerryError as error:
            yield self._service.emit(EventKind.FAILED, STEP, str(error), {"intent": intent.number})
            raise
        yield self._service.emit(EventKind.SENT, STEP, done, {"intent": intent.number})
        yield self._service.emit(EventKind.STEP_DONE, STEP, f"{done}; compare {table} again to see it equal")
