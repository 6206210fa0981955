"""The only module that prints. stdout is data, stderr is talk.

Invariant: every line leaves through `safe_text`, so nothing a cluster or a file says can drive the terminal; JSON is
ASCII. The progress line lives on stderr: rewritten in place on a terminal, else one line every ten seconds.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TextIO

from hbase_ferry.errors import ConfigError, FerryError, Refused
from hbase_ferry.model.text import safe_text

PROGRESS_SECONDS = 10.0
"""How often a progress line is written where it cannot be rewritten."""


class Output:
    """One command's stdout and stderr."""

    def __init__(
        self,
        as_json: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.as_json = as_json
        self._out, self._err, self._monotonic = stdout or sys.stdout, stderr or sys.stderr, monotonic
        self._rewrites = self._err.isatty()
        self._shown = ""
        self._written = -PROGRESS_SECONDS

    def line(self, text: str = "") -> None:
        """One line of data for people, at once: a log that is followed, or a kill, must not lack it."""
        self._clear()
        print(safe_text(text), file=self._out, flush=True)

    def record(self, value: object) -> None:
        """One line of JSON."""
        self._clear()
        print(json.dumps(plain(value), allow_nan=False), file=self._out, flush=True)

    def talk(self, text: str) -> None:
        """One line of talk."""
        self._clear()
        self._out.flush()
        print(safe_text(text), file=self._err, flush=True)

    def error(self, error: FerryError) -> None:
        """An error as one line a problem or reason."""
        if isinstance(error, ConfigError):
            for problem in error.problems:
                self.talk(str(problem))
        elif isinstance(error, Refused):
            for reason in error.reasons:
                self.talk(f"refused: {reason}")
        else:
            self.talk(f"{_KINDS.get(type(error).__name__, 'error')}: {error}")

    def progress(self, text: str) -> None:
        """Replaces the progress line; an empty text takes it away."""
        text = safe_text(text)
        if self._rewrites:
            text = fitted(text, shutil.get_terminal_size().columns - 1)
            if text != self._shown:
                print(f"\r\x1b[K{text}", end="", file=self._err, flush=True)
                self._shown = text
        elif text and self._monotonic() - self._written >= PROGRESS_SECONDS:
            self._written = self._monotonic()
            print(text, file=self._err, flush=True)

    def flush(self) -> None:
        """Ends the progress line and empties both streams. Raises BrokenPipeError where nobody reads."""
        self._clear()
        self._out.flush()
        self._err.flush()

    def _clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=self._err, flush=True)
            self._shown = ""


_KINDS = {
    "StepFailed": "failed",
    "AgentError": "failed",
    "Unreachable": "not reached",
    "DeadlineExceeded": "not reached",
}


def fitted(text: str, columns: int) -> str:
    """As much of `text` as takes at most `columns` cells: a line that wraps cannot be rewritten in place."""
    width = 0
    for index, char in enumerate(text):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > columns:
            return text[:index]
    return text


def plain(value: Any) -> Any:
    """A value of the model as JSON: dataclasses as objects, enums as their values, NaN and infinities as null."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
