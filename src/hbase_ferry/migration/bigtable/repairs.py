"""What removes a cell that is only on the Bigtable side: the line of Google's `cbt` that an operator would type.

Called where a comparison's report is shown (`migration.compare.report`).
"""

from __future__ import annotations

import shlex

from hbase_ferry.migration import commands
from hbase_ferry.migration.compare.report import Delete
from hbase_ferry.migration.compare.result import Example


def cbt_delete(project: str, instance: str, table: str, emulator: str) -> Delete:
    """`cbt deletecolumn`, which deletes every version of one column of one row; emulator: host:port, or empty."""

    def command(example: Example) -> str:
        words = (bytes.fromhex(example.key), example.family.encode(), bytes.fromhex(example.qualifier))
        if any(b"\x00" in word for word in words):
            return "no command line can carry the byte 00 in this name: delete the column through a client library"
        head = f"{commands.cbt(project, instance, emulator)} deletecolumn {shlex.quote(table)}"
        return f"{head} {' '.join(map(_bash, words))}"

    return command


def _bash(word: bytes) -> str:
    """As one word of bash, any byte."""
    if word.isascii() and (text := word.decode()).isprintable():
        return shlex.quote(text)
    return "$'" + "".join(chr(b) if chr(b).isascii() and chr(b).isalnum() else f"\\x{b:02x}" for b in word) + "'"
