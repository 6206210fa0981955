"""Exit codes, and the one place that turns an error into one.

Invariant: a user never sees a traceback; what was not foreseen becomes one line and a file with the details.
Called by `cli.main` around every command.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from hbase_ferry.cli.output import Output
from hbase_ferry.errors import (
    AgentError,
    BadAnswer,
    ConfigError,
    FerryError,
    Refused,
    StepFailed,
    Unreachable,
)


class ExitCode(IntEnum):
    """What a shell script learns. The codes are a contract; the texts are not."""

    DONE = 0
    "everything asked for is done"
    DEFECT = 1
    "something this program did not foresee; the details are in a file"
    USAGE = 2
    "the command line, the configuration or the journal's place is wrong; nothing was sent"
    REFUSED = 3
    "a gate or guard said no, or a confirmation is missing; the refused part was not sent"
    FAILED = 4
    "an action was sent and did not have its effect"
    UNREACHABLE = 5
    "a cluster, its edge node or its agent did not answer, or not in a way that can be understood"
    INTERRUPTED = 130
    "Ctrl-C, or nobody reads the output any more; what runs in the clusters goes on"


_CODES: tuple[tuple[type[FerryError], ExitCode], ...] = (
    (ConfigError, ExitCode.USAGE),
    (Refused, ExitCode.REFUSED),
    (StepFailed, ExitCode.FAILED),
    (AgentError, ExitCode.FAILED),
    (Unreachable, ExitCode.UNREACHABLE),
    (BadAnswer, ExitCode.UNREACHABLE),
)


def code_of(error: FerryError) -> ExitCode:
    """The exit code of an error. One of no special class is about places and files: usage."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.USAGE)


def guarded(out: Output, body: Callable[[], ExitCode]) -> ExitCode:
    """Runs one command to its exit code, whatever happens."""
    try:
        code = body()
        out.flush()
    except FerryError as error:
        out.error(error)
        return code_of(error)
    except KeyboardInterrupt:
        out.talk("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _silence()
        return ExitCode.INTERRUPTED
    except Exception as error:
        out.talk(f"hbase-ferry met something it did not foresee: {type(error).__name__}: {error}")
        out.talk(f"details: {_details(error)}")
        return ExitCode.DEFECT
    return code


def _silence() -> None:
    """Nobody reads stdout any more: the interpreter's own last flush must not complain about it."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())


def _details(error: Exception) -> str:
    """A file with the traceback, without the values of locals; its path, or why there is none."""
    from platformdirs import user_state_path

    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (user_state_path("hbase-ferry"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write("".join(traceback.format_exception(error)))
        except OSError:
            continue
        return str(folder / name)
    return "could not be written anywhere"
