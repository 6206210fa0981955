"""What Bigtable takes as a name and how much it holds, so that what cannot exist there is found beforehand.

The emulator takes names the service refuses (`ns:t`, 60 characters) and rows above the service's limits: a green test
against it proves nothing here. Invariant: a name without a fault is one the service takes. Called by the Bigtable
checks, the loss ledger, the stall causes and the steps that create tables.

Sources: google.bigtable.admin.v2 CreateTableRequest.table_id ("Maximum 50 characters") and Table.name;
google.bigtable.v2 Family.name (64 characters), Row.key (4 KiB), Column.qualifier (16 KiB), Cell.value (100 MiB),
Row (256 MiB); "Quotas and limits" of Cloud Bigtable.
"""

from __future__ import annotations

import re

from hbase_ferry.model.rows import Limits

TABLE_ID_LENGTH = 50
"""Characters of a table id (CreateTableRequest.table_id)."""
FAMILY_ID_LENGTH = 64
"""Characters of a family id (google.bigtable.v2.Family.name)."""
ROW_KEY_BYTES = 4 << 10
"""google.bigtable.v2.Row.key."""
QUALIFIER_BYTES = 16 << 10
"""google.bigtable.v2.Column.qualifier."""
CELL_BYTES = 100 << 20
"""google.bigtable.v2.Cell.value; a larger one is a permanent error."""
ROW_BYTES = 256 << 20
"""google.bigtable.v2.Row: a larger row cannot be read in full."""
ROW_MUTATIONS = 100_000
"""Mutations of one row entry in one MutateRows call ("Quotas and limits"); a row with more cells in one WAL batch
stalls the replication library (a TODO in its source)."""
MAX_TIME_MILLIS = (2**63 - 1) // 1000
"""HBase timestamps from here on do not fit Bigtable's microseconds: the library clamps them all to one value
(TimestampConverter of java-bigtable-hbase), so that versions of a column collapse."""

LIMITS = Limits(ROW_KEY_BYTES, QUALIFIER_BYTES, CELL_BYTES)
"""What one cell is made of."""

_TABLE = re.compile(r"[_a-zA-Z0-9][-_.a-zA-Z0-9]*", re.ASCII)
_FAMILY = re.compile(r"[-_.a-zA-Z0-9]+", re.ASCII)


def table_fault(name: str) -> str | None:
    """Why Bigtable cannot have a table of this name, as a sentence; None: it can.

    The name is HBase's, `ns:qualifier`; the replication library uses it as it is and knows no other name for it.
    """
    if ":" in name:
        plain = name.split(":", 1)[1]
        return f"table {name} lies in a namespace, and Bigtable has none: clone it as {plain} and move that table"
    if len(name) > TABLE_ID_LENGTH:
        return f"table {name} has {len(name)} characters, and Bigtable takes {TABLE_ID_LENGTH} at most"
    if not _TABLE.fullmatch(name):
        return f"table {name or '(empty)'} is no table id: letters, digits, _ . and -, and no . or - in front"
    return None


def family_fault(name: str) -> str | None:
    """Why Bigtable cannot have a family of this name, as a sentence; None: it can."""
    if len(name) > FAMILY_ID_LENGTH:
        return f"family {name} has {len(name)} characters, and Bigtable takes {FAMILY_ID_LENGTH} at most"
    if not _FAMILY.fullmatch(name):
        return f"family {name or '(empty)'} is no family id: letters, digits, _ . and - only"
    return None
