"""`hbase-ferry console`: the screen on the clusters of a configuration; read-only unless asked to act."""

from __future__ import annotations

from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.session import opened


def run(config: str, acting: bool, theme: str, ascii_only: bool, mouse: bool) -> ExitCode:
    """Opens the screen and returns when it is closed; what runs in the clusters goes on."""
    with opened(config, acting=acting) as ferry:
        from hbase_ferry.console import app

        return ExitCode(app.run(ferry, theme=theme or None, ascii_only=ascii_only, mouse=mouse))
