"""The command palette: the key table again, and the themes.

Invariant: what is not bound is not offered. Called by `app` when the palette opens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from hbase_ferry.console import theme
from hbase_ferry.console.keys import available
from hbase_ferry.errors import FerryError

if TYPE_CHECKING:
    from hbase_ferry.console.app import Console


def commands(app: Console) -> Iterator[SystemCommand]:
    """Each with its name, its key and its help."""
    for key in available(app.acting):
        if key.action not in ("command_palette", "close"):
            yield SystemCommand(f"{key.footer or key.action}  ({key.shown})", key.help, _runs(app, key.action))
    for name in theme.names():
        yield SystemCommand(f"theme {name}", "colours", _wears(app, name))


def _runs(app: Console, action: str) -> Callable[[], None]:
    def run() -> None:
        app.call_later(app.run_action, action)

    return run


def _wears(app: Console, name: str) -> Callable[[], None]:
    def wear() -> None:
        try:
            app.use_palette(theme.load(name))
        except FerryError as error:
            app.say(str(error))

    return wear
