"""Command line options of the simulated Hadoop tools."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass
class Options:
    """`values` by option name without dashes, `-D` settings, positional arguments."""

    values: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    positional: list[str] = field(default_factory=list)

    def number(self, name: str, default: int) -> int:
        found = self.values.get(name, "")
        return int(found) if found.isdigit() else default

    def families(self) -> tuple[str, ...]:
        return tuple(name for name in self.values.get("families", "").split(",") if name)

    def end_time(self) -> int | None:
        return self.number("endtime", 0) or None


def parse(argv: Sequence[str], switches: Collection[str] = (), valued: Collection[str] = ()) -> Options:
    """`-x v`, `--x v` (for `valued`), `--x=v`, `-Dk=v`, `-D k=v`; `switches` take no value."""
    result = Options()
    words = list(argv)
    while words:
        word = words.pop(0)
        if word.startswith("-D"):
            name, _, value = (word[2:] or (words.pop(0) if words else "")).partition("=")
            result.settings[name] = value
        elif word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            if not equals and name not in switches and (not valued or name in valued) and words:
                value = words.pop(0)
            result.values[name] = value if equals or value else "true"
        else:
            result.positional.append(word)
    return result
