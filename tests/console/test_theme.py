"""Themes are read strictly: what is wrong is named with file, line and key; what is shipped is complete and legible."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from hbase_ferry.console import theme
from hbase_ferry.errors import ConfigError

SHIPPED = ("ansi16", "colour-blind", "dark", "light")
ROOT = Path(__file__).resolve().parents[2]


def written(tmp_path: Path, old: str, new: str) -> Path:
    text = (ROOT / "themes" / "dark.yaml").read_text()
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('  ok: "#86c98a"\n', "", "colours.ok: is missing"),
        ('  ok: "#86c98a"\n', '  ok: "#86c98a"\n  okay: "#86c98a"\n', "colours.okay: is not a colour the console uses"),
        ('"#86c98a"', '"greenish"', "'greenish' is no colour"),
        ('"#86c98a"', "7", "7 is no colour"),
        ("dark: true", "dark: maybe", "dark: has to be true or false"),
        ("dark: true", "dark: true\nshiny: true", "shiny: is not known"),
        ("name: dark", "", "name: is missing"),
        ("colours:", "colours: 3\nold:", "colours: has to be a mapping"),
        ("name: dark", "name: dark\nname: black", "name"),
        ("name: dark", "name: [", "mine.yaml"),
    ],
)
def test_a_broken_theme_is_named_with_its_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = written(tmp_path, old, new)
    with pytest.raises(ConfigError) as caught:
        theme.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unknown_theme_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="ansi16, colour-blind, dark, light"):
        theme.load("darkk")


def test_a_theme_file_may_be_named_by_its_path(tmp_path: Path) -> None:
    assert theme.load(str(written(tmp_path, "name: dark", "name: mine"))).name == "mine"


def test_the_users_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "hbase-ferry" / "themes"
    folder.mkdir(parents=True)
    written(folder, "name: dark", "name: mine").rename(folder / "dark.yaml")
    assert theme.load("dark").name == "mine"


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "ansi16"])
def test_text_can_be_read_on_its_ground(name: str) -> None:
    """Contrast of at least 4.5:1, WCAG's level AA; 3:1 for what is old and for lines of charts."""
    colours = theme.load(name).colours
    pairs = [(key, "background", 4.5) for key in ("text", "dim", "accent", "ok", "warn", "bad", "source", "target")]
    pairs += [("text", "panel", 4.5), ("text", "pick", 4.5), ("act_text", "act", 4.5)]
    pairs += [("readonly_text", "readonly", 4.5), ("alarm_text", "alarm", 4.5), ("stale", "background", 3.0)]
    pairs += [(f"chart{n}", "background", 3.0) for n in range(1, 5)]
    for fore, back, least in pairs:
        ratio = contrast(Color.parse(colours[fore]), Color.parse(colours[back]))
        assert ratio >= least, f"{name}: {fore} on {back} is {ratio:.2f}:1"


def contrast(one: Color, other: Color) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Color) -> float:
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
