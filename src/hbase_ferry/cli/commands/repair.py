"""`hbase-ferry repair`: one row of the source written to the target again."""

from __future__ import annotations

from hbase_ferry.cli.events import EventPrinter
from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import command_line, first_look, opened, reached, stoppable
from hbase_ferry.errors import Refused
from hbase_ferry.migration.sampling import key_of, shown


def run(out: Output, config: str, table: str, row: str, confirm: str) -> ExitCode:
    """Writes the row where `confirm` is its key again; else says what it would do."""
    try:
        key = key_of(row)
    except ValueError as error:
        raise Refused(str(error)) from None
    with opened(config, acting=bool(confirm)) as ferry, stoppable(out) as stop:
        service = ferry.service
        reached(service, first_look(service, out))
        if not confirm:
            target, told = service.settings.target.name, shown(key)
            out.talk(f"would write every cell of row {told} of {table} to {target}, with its time; deletes nothing")
            again = command_line("repair", config, table, told, confirm=[told])
            out.talk(f"nothing was sent; to do it: {again}")
            return ExitCode.REFUSED
        EventPrinter(out).show_all(service.repair_row(table, key, confirm, stop))
    return ExitCode.DONE
