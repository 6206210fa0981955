"""Themes: YAML files of colours, read strictly and turned into a Palette and a Textual Theme.

Looked for, in this order: the user's config folder, the repository's `themes/`, the wheel's `share/themes`.
Invariant: a theme names every colour and nothing else, each colour parses, and the first problem of each key is
reported with file and key. Called by `app` and by the command line's `--theme` check.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.style import Style
from textual.color import Color, ColorParseError

from hbase_ferry.console.ink import COLOUR_KEYS, ROLES, Palette
from hbase_ferry.errors import ConfigError, Problem
from hbase_ferry.migration import strict_yaml

if TYPE_CHECKING:
    from textual.theme import Theme

DEFAULT = "dark"
PLAIN = "ansi16"
"The theme of NO_COLOR and of terminals with 16 colours."

_KEYS: Mapping[str, type] = {"name": str, "dark": bool, "ansi": bool, "colours": dict}
_KINDS = {str: "text", bool: "true or false", dict: "a mapping"}


def folders() -> tuple[Path, ...]:
    """Where themes are looked for; only those that exist."""
    from platformdirs import user_config_path

    package = Path(__file__).resolve().parents[1]
    places = (user_config_path("hbase-ferry") / "themes", package.parents[1] / "themes", package / "share" / "themes")
    return tuple(place for place in places if place.is_dir())


def names() -> tuple[str, ...]:
    """Every theme that can be named, sorted."""
    return tuple(sorted({path.stem for folder in folders() for path in folder.glob("*.yaml")}))


def load(name: str) -> Palette:
    """The theme of that name, or the file at that path. Raises ConfigError naming file and key."""
    if name.endswith((".yaml", ".yml")):
        return read(Path(name))
    for folder in folders():
        if (folder / f"{name}.yaml").is_file():
            return read(folder / f"{name}.yaml")
    known = ", ".join(names()) or "none found"
    raise ConfigError([Problem("--theme", 0, "", f"there is no theme {name!r}; known: {known}")])


def read(path: Path) -> Palette:
    """One theme file. Raises ConfigError with all its problems."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), 0, "", f"cannot be read: {error}")]) from error
    document = strict_yaml.read(text, str(path))
    problems = document.problems or _shape(document)
    if problems:
        raise ConfigError(problems)
    value: Any = document.value
    return _palette(value["name"], value["dark"], value["ansi"], value["colours"])


def _shape(document: strict_yaml.Document) -> list[Problem]:
    def problem(message: str, *path: str) -> None:
        found.append(Problem(document.file, document.line(path), ".".join(path), message))

    found: list[Problem] = []
    value: Any = document.value
    if not isinstance(value, dict):
        problem("a theme is a mapping with name, dark, ansi and colours")
        return found
    for key in value.keys() - _KEYS.keys():
        problem(f"is not known; known: {', '.join(_KEYS)}", key)
    for key, kind in _KEYS.items():
        if key not in value:
            problem("is missing", key)
        elif not isinstance(value[key], kind):
            problem(f"has to be {_KINDS[kind]}, not {value[key]!r}", key)
    colours: Any = value.get("colours")
    if not isinstance(colours, dict):
        return found
    for key in colours.keys() - COLOUR_KEYS:
        problem("is not a colour the console uses", "colours", key)
    for key in COLOUR_KEYS:
        if key not in colours:
            problem("is missing", "colours", key)
        elif not _is_colour(colours[key]):
            problem(f'{colours[key]!r} is no colour; write "#rrggbb" in quotes or an ansi_ name', "colours", key)
    return sorted(found, key=lambda each: (each.line, each.key))


def _is_colour(value: Any) -> bool:
    try:
        Color.parse(value)
    except (ColorParseError, TypeError, ValueError, AttributeError):
        return False
    return isinstance(value, str)


def _palette(name: str, dark: bool, ansi: bool, colours: Mapping[str, str]) -> Palette:
    rich = {key: Color.parse(value).rich_color for key, value in colours.items()}
    styles = {}
    for role, (fore, back, attributes) in ROLES.items():
        extra = Style.parse(f"{attributes} {'dim' if ansi and fore in ('stale', 'line') else ''}".strip())
        if ansi and back in ("panel",):
            extra += Style(underline=True)
        ground = rich[back] if back else None if ansi else rich["background"]
        styles[role] = Style(color=rich[fore], bgcolor=ground) + extra
    picked = Style(reverse=True) if ansi else Style(bgcolor=rich["pick"], bold=True)
    return Palette(name, dark, ansi, dict(colours), styles, picked)


def to_textual(palette: Palette) -> Theme:
    """The same colours for Textual's own widgets: buttons, inputs, the command palette."""
    from textual.theme import BUILTIN_THEMES, Theme

    colours = palette.colours
    base = BUILTIN_THEMES["ansi-dark"].variables if palette.ansi else {}
    return Theme(
        name=f"ferry-{palette.name}",
        primary=colours["accent"],
        secondary=colours["target"],
        accent=colours["accent"],
        warning=colours["warn"],
        error=colours["bad"],
        success=colours["ok"],
        foreground=colours["text"],
        background=colours["background"],
        surface=colours["surface"],
        panel=colours["panel"],
        dark=palette.dark,
        ansi=palette.ansi,
        variables={**base, "line": colours["line"], "alarm": colours["alarm"], "ferry-dim": colours["dim"]},
    )
