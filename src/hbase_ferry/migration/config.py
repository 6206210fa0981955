"""Reads one migration's YAML into `Settings`, or says everything that is wrong with it at once.

Invariant: any text gives Settings or ConfigError, nothing connects, every problem names file, line and key.
Called by every front end. Shapes stand in `config_schema`, rules in `config_rules`, YAML's own traps in
`strict_yaml`.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path as FilePath
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hbase_ferry.errors import ConfigError, Problem
from hbase_ferry.migration import config_rules as rules
from hbase_ferry.migration import config_schema as schema
from hbase_ferry.migration import strict_yaml
from hbase_ferry.migration.names import quoted
from hbase_ferry.migration.settings import Settings, SideSettings, TransportKind
from hbase_ferry.migration.strict_yaml import Document, Mark, Path
from hbase_ferry.model.text import safe_text

_VERBATIM = (
    ("source", "env"),
    ("target", "env"),
    ("export", "options"),
    ("verify", "options"),
    ("target", "bigtable", "backfill", "options"),
)
_MEANING = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
    "null": "nothing",
    "value": "a default value",
    "merge": "a merge",
}


def load(path: str | FilePath) -> Settings:
    """The settings in the file at `path`. Raises ConfigError with all problems, unreadable files included."""
    file = str(path)
    return parse(_text(FilePath(path), file), file)


def parse(text: str, file: str = "<text>") -> Settings:
    """The settings in `text`; `file` is named in messages and kept in `Settings.file`. Raises ConfigError."""
    document = strict_yaml.read(text, file)
    if document.problems and document.value is None:
        raise ConfigError(document.problems)
    if not isinstance(document.value, dict):
        document.problem(0, (), "is empty" if document.value is None else "must be a mapping of keys at its top level")
        raise ConfigError(document.problems)
    settings = _validate(document, document.value)
    for path, message in rules.across(document.value):
        document.problem(document.line(path), path, message)
    if document.problems or settings is None:
        raise ConfigError(sorted(document.problems, key=lambda problem: problem.line))
    return _finish(settings, file)


def _text(path: FilePath, file: str) -> str:
    try:
        if not path.exists():
            raise _unreadable(file, 0, "no such file")
        if not path.is_file():
            raise _unreadable(file, 0, "is not a regular file")
        with path.open("rb") as stream:
            content = stream.read(strict_yaml.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(file, 0, f"cannot be read: {safe_text(reason, 200)}") from error
    if len(content) > strict_yaml.MAX_BYTES:
        raise _unreadable(file, 0, f"is larger than {strict_yaml.MAX_BYTES // 1024} KiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unreadable(file, line, f"is not UTF-8: byte 0x{content[error.start]:02x}") from error


def _unreadable(file: str, line: int, message: str) -> ConfigError:
    return ConfigError([Problem(safe_text(file, 200), line, "", message)])


@cache
def _adapter() -> TypeAdapter[Settings]:
    return schema.adapter()


def _validate(document: Document, values: dict[str, object]) -> Settings | None:
    _take_verbatim(document, values)
    try:
        return _adapter().validate_python(values)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            path: Path = _known(document, found["loc"])
            document.problem(document.line(path), path, _sentence(document, path, found))
        return None


def _take_verbatim(document: Document, values: dict[str, object]) -> None:
    """Numbers and true/false in options and environments are passed on exactly as they are written."""
    for path in _VERBATIM:
        entries: object = values
        for part in path:
            entries = entries.get(part) if isinstance(entries, dict) else None
        for key, value in entries.items() if isinstance(entries, dict) else ():
            text = document.marks[*path, key].text
            if isinstance(value, int | float) and text.lower() not in ("yes", "no", "on", "off"):
                assert isinstance(entries, dict)
                entries[key] = text


def _known(document: Document, path: Path) -> Path:
    """`path`, cut where the file has a plain text for what pydantic saw as a mapping (a table's name)."""
    parent = document.marks.get(path[:-1]) if path else None
    return path[:-1] if parent and parent.kind not in ("map", "seq") else path


def _sentence(document: Document, path: Path, found: Mapping[str, Any]) -> str:
    kind = found["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "value_error":
        return str(found["ctx"]["error"])
    mark = document.marks.get(path, Mark(0, "", "null"))
    if mark.kind == "null":
        return "has no value: give one, or leave the key out"
    if kind == "enum":
        return _not_a_choice(path, mark)
    if kind == "string_type" or (kind == "model_type" and isinstance(path[-1], int)):
        return _not_text(mark)
    if mark.kind in ("int", "float") and isinstance(found["input"], strict_yaml.Odd):
        return f"must be a plain decimal number of at most 18 digits, not {_shown(mark)}"
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}, not {_shown(mark)}"
    return safe_text(str(found["msg"]), 200)


def _shown(mark: Mark) -> str:
    return {"map": "a mapping", "seq": "a list"}.get(mark.kind) or quoted(mark.text)


_WANTED = {
    "int_type": "a whole number without quotes",
    "int_from_float": "a whole number",
    "float_type": "a number without quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
}


def _not_text(mark: Mark) -> str:
    if mark.kind not in _MEANING:
        return f"must be text, not {_shown(mark)}"
    shown = quoted(mark.text)
    return f"must be text, and YAML reads {shown[1:-1]} as {_MEANING[mark.kind]}: write {shown} in quotes"


def _not_a_choice(path: Path, mark: Mark) -> str:
    choices = [member.value for member in _enum_at(path)]
    return f"must be one of {', '.join(choices)}, not {_shown(mark)}{_nearest(mark.text, choices)}"


def _unknown_key(path: Path) -> str:
    cls = _class_at(path[:-1])
    known = schema.keys_of(cls) if cls else ()
    nearest = _nearest(str(path[-1]), known)
    return "unknown key" + (nearest or (f"; known here: {', '.join(known)}" if known else ""))


def _nearest(text: str, known: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(text[:60].lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _hint_at(path: Path) -> Any:
    """The type annotation of `path` below Settings, None where there is none."""
    hint: Any = Settings
    for part in path:
        if isinstance(part, int):
            hint = next(iter(get_args(hint)), None)
        else:
            hint = get_type_hints(hint).get(part) if dataclasses.is_dataclass(hint) else None
        if type(None) in get_args(hint):
            hint = get_args(hint)[0]
    return hint


def _class_at(path: Path) -> type | None:
    hint = _hint_at(path)
    return hint if isinstance(hint, type) and dataclasses.is_dataclass(hint) else None


def _enum_at(path: Path) -> list[Enum]:
    hint = _hint_at(path)
    return list(hint) if isinstance(hint, type) and issubclass(hint, Enum) else []


def _finish(settings: Settings, file: str) -> Settings:
    return dataclasses.replace(settings, source=_at_home(settings.source), target=_at_home(settings.target), file=file)


def _at_home(side: SideSettings) -> SideSettings:
    """`~` in a command of this machine, where no shell would expand it."""
    if side.transport is not TransportKind.LOCAL:
        return side
    return dataclasses.replace(side, hbase=_expanded(side.hbase), agent=_expanded(side.agent))


def _expanded(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(rules.local_path(word) if word.startswith("~/") else word for word in words)
