"""The emulator's instance as a client sees it: tables, and every cell in them.

Invariant: some admin calls end the emulator's process (lists of backups, hot tablets and views), so only the ones
below are made. Cells are read by Google's own data client, whose merging of rows the product does not share; it
refuses messages above 4 MiB from an emulator, so keep a test's cells below. Called through `Emulator.instance`.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.bigtable.data import BigtableDataClient, ReadRowsQuery
from google.cloud.bigtable_admin_v2 import BigtableTableAdminClient
from google.cloud.bigtable_admin_v2.services.bigtable_table_admin.transports import BigtableTableAdminGrpcTransport
from google.cloud.bigtable_admin_v2.types import ColumnFamily, Table

from lab.places import LabError

Cells = dict[tuple[str, bytes, int], bytes]
"one row: (family, qualifier, time in us) -> value"

_SECONDS = 20.0
_VARIABLE = "BIGTABLE_EMULATOR_HOST"
_environment = threading.Lock()


class Instance:
    """One instance behind `address` (host:port, plain text). Raises google.api_core's errors, `rows` LabError."""

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.name = name
        "projects/<project>/instances/<instance>"

    def create(self, table: str, families: Mapping[str, int], splits: Sequence[str] = ()) -> None:
        """Create a table. families: name -> how many versions its GC rule keeps, 0: all."""
        wanted = Table(column_families={name: _family(versions) for name, versions in families.items()})
        keys = [{"key": split.encode()} for split in splits]
        request = {"parent": self.name, "table_id": table, "table": wanted, "initial_splits": keys}
        with self._channel() as channel:
            _admin(channel).create_table(request=request, timeout=_SECONDS)

    def drop(self, table: str) -> None:
        with self._channel() as channel:
            _admin(channel).delete_table(name=f"{self.name}/tables/{table}", timeout=_SECONDS)

    def tables(self, seconds: float = _SECONDS) -> tuple[str, ...]:
        """Names of every table, sorted."""
        with self._channel() as channel:
            listed = _admin(channel).list_tables(parent=self.name, timeout=seconds, retry=None)
            return tuple(sorted(table.name.rpartition("/")[2] for table in listed))

    def rows(self, table: str) -> Iterator[tuple[bytes, Cells]]:
        """Every row in key order with all its versions. Raises LabError where they cannot be read."""
        project, instance = self.name.split("/")[1::2]
        with _data_client(self.address, project) as client, client.get_table(instance, table) as opened:
            try:
                for row in opened.read_rows_stream(ReadRowsQuery(), operation_timeout=600, attempt_timeout=600):
                    yield row.row_key, {(c.family, c.qualifier, c.timestamp_micros): c.value for c in row.cells}
            except GoogleAPICallError as error:
                raise LabError(f"the emulator's table {table} cannot be read: {error.message}") from error

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.address, options=[("grpc.enable_http_proxy", 0)])


def _data_client(address: str, project: str) -> BigtableDataClient:
    """The data client takes an emulator's address from the environment only, when it is built."""
    with _environment, warnings.catch_warnings(action="ignore"):
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = address
        try:
            return BigtableDataClient(project=project)
        finally:
            del os.environ[_VARIABLE]
            if before is not None:
                os.environ[_VARIABLE] = before


def _admin(channel: grpc.Channel) -> BigtableTableAdminClient:
    return BigtableTableAdminClient(transport=BigtableTableAdminGrpcTransport(channel=channel))


def _family(versions: int) -> ColumnFamily:
    return ColumnFamily(gc_rule={"max_num_versions": versions}) if versions else ColumnFamily()
