"""The command line: arguments, options and help. Each command's work stands in `cli.commands`.

Invariant: importing this module imports neither Textual nor paramiko nor pydantic nor yaml, so that --help answers
at once; commands import what they need when they run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from hbase_ferry import __version__
from hbase_ferry.cli.exits import ExitCode, guarded
from hbase_ferry.cli.output import Output

app = typer.Typer(
    name="hbase-ferry",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Moves live HBase tables to another cluster or to Cloud Bigtable while the source keeps serving.",
    epilog="Exit codes: 0 done, 2 usage or configuration, 3 a gate or guard refused, 4 a step failed, "
    "5 a cluster could not be reached, 130 interrupted.",
)

Config = Annotated[str, typer.Argument(metavar="CONFIG", help="The migration's YAML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Theme = Annotated[str, typer.Option(metavar="NAME", help="Theme of the screen: a name or a YAML file.")]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")]
NoMouse = Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the simulated clusters.")]
Target = Annotated[str, typer.Option(metavar="KIND", help="Simulated target: hbase or bigtable.")]
Tables = Annotated[int, typer.Option(min=0, max=10_000, help="Further tables on each simulated side.")]


def _leave(body: Callable[[Output], ExitCode], as_json: bool = False) -> None:
    out = Output(as_json)
    raise typer.Exit(int(guarded(out, lambda: body(out))))


def _version(wanted: bool) -> None:
    if wanted:
        _leave(_say_version)


def _say_version(out: Output) -> ExitCode:
    out.line(f"hbase-ferry {__version__}")
    return ExitCode.DONE


def _help(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        _leave(lambda out: _say_help(out, ctx))


def _say_help(out: Output, ctx: typer.Context) -> ExitCode:
    for line in ctx.get_help().splitlines():
        out.line(line)
    return ExitCode.DONE


# Typer's own group-level --help is coerced through pydantic (0.3 s) before any command's help: ours is a plain flag.
@app.callback(add_help_option=False)
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    usage: Annotated[
        bool, typer.Option("--help", help="Show this message.", callback=_help, is_eager=True)
    ] = False,
) -> None:
    """Moves live HBase tables to another cluster or to Cloud Bigtable while the source keeps serving."""


@app.command()
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No screen: the whole crossing in events.")
    ] = False,
    seed: Seed = 7,
    as_json: AsJson = False,
    tables: Tables = 0,
    target: Target = "hbase",
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only: change nothing.")] = False,
    theme: Theme = "",
    ascii_only: Ascii = False,
    no_mouse: NoMouse = False,
) -> None:
    """Show a crossing on a simulated cluster and target. Needs no HBase."""
    if as_json and not headless:
        raise typer.BadParameter("needs --headless", param_hint="--json")
    from hbase_ferry.ends import ENDS

    if target not in ENDS:
        raise typer.BadParameter(f"{target!r} is none of {', '.join(ENDS)}", param_hint="--target")
    from hbase_ferry.cli.commands import demo as command

    if headless:
        _leave(lambda out: command.headless(out, seed, tables, target), as_json)
    _leave(lambda out: command.screen(seed, tables, target, not read_only, theme, ascii_only, not no_mouse))


@app.command()
def console(
    config: Config,
    act: Annotated[
        bool, typer.Option("--act", help="Allow changes; without it the console only reads.")
    ] = False,
    theme: Theme = "",
    ascii_only: Ascii = False,
    no_mouse: NoMouse = False,
) -> None:
    """Open the screen on both clusters; read-only without --act."""
    from hbase_ferry.cli.commands import console as command

    _leave(lambda out: command.run(config, act, theme, ascii_only, not no_mouse))


@app.command()
def check(config: Config, as_json: AsJson = False) -> None:
    """Look at both clusters and say what would be in the way. Changes nothing."""
    from hbase_ferry.cli.commands import check as command

    _leave(lambda out: command.run(out, config), as_json)


@app.command()
def plan(
    config: Config,
    offline: Annotated[bool, typer.Option("--offline", help="Do not connect; leave placeholders.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print every step with its exact commands, gates and undo. Changes nothing."""
    from hbase_ferry.cli.commands import plan as command

    _leave(lambda out: command.run(out, config, offline), as_json)


@app.command()
def status(config: Config, as_json: AsJson = False) -> None:
    """Look once: both sides, peers, disk, every step, and what comes next. Changes nothing."""
    from hbase_ferry.cli.commands import status as command

    _leave(lambda out: command.run(out, config), as_json)


@app.command()
def run(
    config: Config,
    confirm: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="Allow this cutover or destructive step. Repeatable."),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="GATE=REASON", help="Accept a closed gate, with a reason. Repeatable."),
    ] = None,
    until: Annotated[str, typer.Option(metavar="STEP", help="Stop after this step.")] = "",
    step: Annotated[str, typer.Option(metavar="STEP", help="Run this step only.")] = "",
    undo: Annotated[str, typer.Option(metavar="STEP", help="Take this step's effect back instead.")] = "",
    as_json: AsJson = False,
) -> None:
    """Migrate, step after step. Stops before a cutover or anything destructive that --confirm does not name."""
    from hbase_ferry.cli.commands import run as command

    request = command.Request(config, tuple(confirm or ()), tuple(accept or ()), until, step, undo)
    _leave(lambda out: command.run(out, request), as_json)


@app.command("remove-peer")
def remove_peer(
    config: Config,
    peer: Annotated[str, typer.Argument(metavar="PEER", help="Id of a replication peer of the source.")],
    confirm: Annotated[
        str, typer.Option(metavar="PEER", help="The peer's id again: without it nothing is sent.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """The red button: remove a peer of the source at once, with its whole backlog."""
    from hbase_ferry.cli.commands import peer as command

    _leave(lambda out: command.run(out, config, peer, confirm), as_json)


@app.command()
def repair(
    config: Config,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table of the migration.")],
    row: Annotated[str, typer.Argument(metavar="ROW", help="The row's key, as the comparison's report shows it.")],
    confirm: Annotated[str, typer.Option(metavar="ROW", help="The key again: without it nothing is sent.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write one row of the source to the target again; deletes nothing."""
    from hbase_ferry.cli.commands import repair as command

    _leave(lambda out: command.run(out, config, table, row, confirm), as_json)


@app.command()
def sample(
    config: Config,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="One table; all of them where none is named.")] = "",
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows of each table, spread over its regions.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Compare some rows of both sides through Thrift; 3 where one differs. Changes nothing."""
    from hbase_ferry.cli.commands import sample as command

    _leave(lambda out: command.run(out, config, table, rows), as_json)


@app.command()
def journal(
    config: Config,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what happens.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what happened, from the journal on disk. Connects to nothing."""
    from hbase_ferry.cli.commands import journal as command

    _leave(lambda out: command.run(out, config, follow), as_json)


def main() -> int:
    """The entry point. Returns the exit code; click leaves by itself for usage errors (2) and --help (0)."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    app(prog_name="hbase-ferry")
    return int(ExitCode.DONE)
