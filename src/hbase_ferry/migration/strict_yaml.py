"""YAML without its surprises: text in, plain values with line numbers out. Called by whoever reads YAML.

Invariant: the values are text, whole numbers, fractions, booleans, None, lists and mappings with text keys,
each written out where it stands. Anchors, aliases, merge keys, tags, duplicate keys and several documents are
refused; what YAML 1.1 would silently turn into something else (0123, 1:30, 2024-01-01) comes out as `Odd`.
Never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from hbase_ferry.errors import Problem
from hbase_ferry.model.text import safe_text

Path: TypeAlias = "tuple[str | int, ...]"

MAX_BYTES = 128 * 1024
MAX_DEPTH = 20

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{0,18}([eE][-+]?[0-9]{1,2})?")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Odd:
    """A scalar that YAML 1.1 reads as something its writer hardly meant."""

    kind: str
    "int | float | timestamp | value | merge"


@dataclass(frozen=True)
class Mark:
    """Where a value stands (1-based line) and how it was written; `kind` is YAML's: str, int, null, map …"""

    line: int
    text: str
    kind: str


@dataclass
class Document:
    """The values of a file, the mark of each path, and what was wrong with the writing."""

    file: str
    value: object = None
    marks: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Line of that path, or of the nearest thing around it; 0 for the file as a whole."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path].line if path else 0

    def problem(self, line: int, path: Path, message: str) -> None:
        self.problems.append(Problem(safe_text(self.file, 200), line, dotted(path), message))


def dotted(path: Path) -> str:
    """`("tables", 0, "name")` as `tables[0].name`, safe to show."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return safe_text(text.removeprefix("."), 200)


def read(text: str, file: str) -> Document:
    """The document of one YAML text; look at `problems` first."""
    document = Document(file)
    if len(text) > MAX_BYTES:
        document.problem(0, (), f"is {len(text):,} characters long; the limit is {MAX_BYTES:,}")
        return document
    try:
        for line, message in _forbidden(text):
            document.problem(line, (), message)
        if not document.problems:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            document.value = _value(document, root, ()) if root is not None else None
    except yaml.YAMLError as error:
        line, message = _syntax(error, text)
        document.problem(line, (), message)
    except (ValueError, OverflowError, RecursionError) as error:
        # PyYAML itself fails on, for one, an escape beyond U+10FFFF
        document.problem(0, (), f"is not YAML: {safe_text(str(error), 200)}")
    return document


def _forbidden(text: str) -> Iterator[tuple[int, str]]:
    """What must not be in the file at all, found in the flat event stream, so before anything is expanded."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        yield from ((line, message) for message in _shorthand(event))
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents == 2:
                yield line, "a second document begins here: one migration a file"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            yield line, f"is nested deeper than {MAX_DEPTH} levels"
            return


def _shorthand(event: yaml.Event) -> Iterator[str]:
    anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
    if isinstance(event, yaml.AliasEvent):
        yield f"the alias *{safe_text(str(anchor), 40)} is not accepted: write the value out"
    elif anchor:
        yield f"the anchor &{safe_text(anchor, 40)} is not accepted: write the value out where it is used"
    if tag:
        yield f"the tag {safe_text(tag, 60)} is not accepted: plain values only"


def _value(document: Document, node: yaml.Node, path: Path) -> object:
    if path not in document.marks:
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        document.marks[path] = Mark(node.start_mark.line + 1, text, node.tag.rsplit(":", 1)[-1])
    if isinstance(node, yaml.SequenceNode):
        return [_value(document, item, (*path, index)) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(document, node, path)
    return _scalar(node)


def _mapping(document: Document, node: yaml.MappingNode, path: Path) -> dict[str, object]:
    values: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        refusal = _key_refusal(key_node)
        if refusal:
            document.problem(line, path, refusal)
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key in values:
            document.problem(line, here, f"is given twice, first in line {document.line(here)}")
            continue
        text = value_node.value if isinstance(value_node, yaml.ScalarNode) else ""
        document.marks[here] = Mark(line, text, value_node.tag.rsplit(":", 1)[-1])
        values[key] = _value(document, value_node, here)
    return values


def _key_refusal(node: yaml.Node) -> str:
    kind = node.tag.rsplit(":", 1)[-1]
    if not isinstance(node, yaml.ScalarNode):
        return "a key must be text, not a list or a mapping"
    if not node.value:
        return "a key is empty"
    if kind == "merge":
        return "the merge key << is not accepted: write the values out"
    if kind == "str":
        return ""
    shown = safe_text(node.value, 40)
    meaning = {"bool": "a boolean", "null": "nothing", "timestamp": "a date"}.get(kind, "a number")
    return f'a key must be text, and YAML reads {shown} as {meaning}: write "{shown}" in quotes'


def _scalar(node: yaml.Node) -> object:
    kind, text = node.tag.rsplit(":", 1)[-1], str(node.value)
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return _BOOLEANS[text.lower()]
    if kind == "int" and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "float" and _FRACTION.fullmatch(text):
        return float(text)
    return Odd(kind)


def _syntax(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    if mark is not None:
        said = [getattr(error, "context", None), getattr(error, "problem", None)]
        return mark.line + 1, "is not YAML: " + safe_text(", ".join(str(s) for s in said if s), 200)
    if isinstance(position, int):
        character = getattr(error, "character", 0)
        code = character if isinstance(character, int) else ord(str(character)[0])
        return text.count("\n", 0, position) + 1, f"holds the character U+{code:04X}, which YAML does not allow"
    return 0, "is not YAML: " + safe_text(str(error), 200)
