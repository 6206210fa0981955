"""`hbase-ferry run`: the migration without a screen, step after step, up to what has to be confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hbase_ferry.cli.crossing import Crossing, Wish, check_steps
from hbase_ferry.cli.events import EventPrinter
from hbase_ferry.cli.exits import ExitCode, code_of
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import command_line, opened, stoppable
from hbase_ferry.errors import ConfigError, FerryError, Problem, Refused

if TYPE_CHECKING:
    from hbase_ferry.migration.core import Gate
    from hbase_ferry.migration.service import MigrationService


@dataclass(frozen=True)
class Request:
    """The command line of one run."""

    config: str
    confirm: Sequence[str] = ()
    accept: Sequence[str] = ()
    until: str = ""
    only: str = ""
    undo: str = ""

    def words(self) -> list[str]:
        """The same command line again, without its confirmations."""
        flags = (("--until", self.until), ("--step", self.only), ("--undo", self.undo))
        return ["run", self.config, *(word for flag, value in flags if value for word in (flag, value))]


def run(out: Output, request: Request) -> ExitCode:
    """Runs what was asked for; says how to go on where it stopped."""
    accepted = _accepted(request.accept)
    if sum(map(bool, (request.until, request.only, request.undo))) > 1:
        raise ConfigError([Problem("command line", 0, "", "--until, --step and --undo exclude each other")])
    with opened(request.config, acting=True) as ferry, stoppable(out) as stop:
        service = ferry.service
        wish = Wish(request.confirm, request.until or request.undo, request.only)
        check_steps(service.plan, wish)
        crossing = Crossing(service, out, stop)
        first = ""
        try:
            _accept(service, out, accepted)
            code = crossing.undo(request.undo, wish) if request.undo else crossing.run(wish)
        except FerryError as error:
            out.error(error)
            closed = _closed(service, crossing.step, error)
            _hints(out, service, closed)
            code = code_of(error)
            first = "once that is mended, " if closed or code is ExitCode.UNREACHABLE else ""
        if code is ExitCode.REFUSED or code is ExitCode.FAILED:
            out.talk("look with: " + command_line("status", request.config))
        if code is not ExitCode.DONE and code is not ExitCode.USAGE:
            named = [*request.confirm, *([crossing.step] if crossing.unconfirmed else [])]
            out.talk(f"{first}go on with: " + command_line(*request.words(), confirm=named))
    return code


def _accepted(accept: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in accept]
    wrong = [gate for gate, equals, reason in pairs if not equals or not gate or not reason.strip()]
    if wrong:
        raise ConfigError(
            [Problem("command line", 0, "--accept", f"write GATE=REASON, not {gate}") for gate in wrong]
        )
    return [(gate, reason.strip()) for gate, _, reason in pairs]


def _accept(service: MigrationService, out: Output, accepted: Sequence[tuple[str, str]]) -> None:
    if accepted:
        service.observe()
    for gate, reason in accepted:
        EventPrinter(out).show(service.waive(gate, reason))


def _closed(service: MigrationService, step: str, error: FerryError) -> list[Gate]:
    """The gates that keep a refused step from running."""
    gates = service.preview(step).gates if step and isinstance(error, Refused) else ()
    return [gate for gate in gates if gate.open is not True and not gate.warning]


def _hints(out: Output, service: MigrationService, closed: Sequence[Gate]) -> None:
    """Which of the closed gates may be accepted, and how."""
    for gate in closed:
        if gate.waivable and gate.name not in service.view.waivers:
            out.talk(f"gate {gate.name} can be accepted with: --accept {gate.name}=REASON")
