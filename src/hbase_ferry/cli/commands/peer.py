"""`hbase-ferry remove-peer`: the red button without a screen."""

from __future__ import annotations

from hbase_ferry.cli.events import EventPrinter
from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import command_line, first_look, opened, reached, stoppable
from hbase_ferry.model.cluster import Side


def run(out: Output, config: str, peer_id: str, confirm: str) -> ExitCode:
    """Shows what removing the peer costs; removes it where `confirm` is its id. The target may be away."""
    with opened(config, acting=bool(confirm)) as ferry, stoppable(out) as stop:
        service = ferry.service
        reached(service, first_look(service, out), (Side.SOURCE,))
        button = service.red_button(peer_id)
        for line in (*button.lost, *button.returns, *(f"will run: {command}" for command in button.commands)):
            out.talk(line)
        if not confirm:
            out.talk(
                "nothing was sent; to do it: "
                + command_line("remove-peer", config, peer_id, confirm=[peer_id])
            )
            return ExitCode.REFUSED
        EventPrinter(out).show_all(service.remove_peer_now(peer_id, confirm, stop))
    return ExitCode.DONE
