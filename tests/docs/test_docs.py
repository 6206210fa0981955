"""The documentation names what exists, and all of it: commands, options, keys, settings, steps, links."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml

from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.main import app
from hbase_ferry.console.keys import KEYS
from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.ledger import INFORMATION, Kind
from hbase_ferry.insight.queues import PeerState
from hbase_ferry.migration import settings as s
from hbase_ferry.migration.bigtable import settings as bigtable
from hbase_ferry.migration.config import load
from hbase_ferry.migration.config_schema import keys_of
from hbase_ferry.migration.sampling import Fault
from hbase_ferry.migration.targets import build_plan
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.view import View

REPO = Path(__file__).resolve().parents[2]
DOCS = REPO / "docs"
PAGES = sorted([REPO / "README.md", REPO / "CONTRIBUTING.md", REPO / "CHANGELOG.md", *DOCS.glob("*.md")])
SAMPLES = sorted((REPO / "sample_configs").glob("*.yaml"))
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
TARGETS = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), re.MULTILINE))
SECTIONS = {
    ("configuration", "Top level"): s.Settings,
    ("configuration", "`source` and `target`"): s.SideSettings,
    ("configuration", "`ssh`"): s.SshSettings,
    ("configuration", "`tables`"): s.TableSettings,
    ("configuration", "`export`"): s.ExportSettings,
    ("configuration", "`verify`"): s.VerifySettings,
    ("configuration", "`gates`"): s.GateSettings,
    ("bigtable-configuration", "`bigtable`"): bigtable.BigtableSettings,
    ("bigtable-configuration", "`way_back`"): bigtable.WayBackSettings,
    ("bigtable-configuration", "`backfill`"): bigtable.BackfillSettings,
    ("bigtable-configuration", "`compare`"): bigtable.CompareSettings,
}
"""Page and heading -> the settings it describes."""
PLANS = {
    "demo.yaml": ("The order of a crossing, and why", "from-the-vendor-page.md"),
    "bigtable.yaml": ("The order of a crossing to Bigtable", "from-googles-page.md"),
}
"""Sample -> where its steps are explained in docs/architecture.md, and the page that compares them with a vendor's."""


def code(page: Path) -> Iterator[str]:
    """What stands in code: inline spans, and the lines of blocks without a `$ ` in front."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for line in "\n".join(blocks).splitlines():
        yield line.strip().removeprefix("$ ")
    text = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (line.strip().removeprefix("$ ") for line in re.findall(r"^    (.*)", text, re.MULTILINE))
    text = re.sub(r"^    .*", "", text, flags=re.MULTILINE)
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words of each line that starts one of our commands; comments and output are left out."""
    for line in code(page):
        match = re.match(r"(?:\.venv/bin/)?(hbase-ferry|make)(?: |$)", line)
        if match and not line.startswith("hbase-ferry:"):
            words = shlex.split(line[match.start(1) :], comments=True)
            yield [word for word in words if word not in ("[", "]", "…", "...")]


ALL_LINES = [(page.name, words) for page in PAGES for words in command_lines(page)]


def test_the_pages_show_commands_at_all() -> None:
    assert len(ALL_LINES) > 40


@pytest.mark.parametrize(("page", "words"), ALL_LINES, ids=[f"{p} {' '.join(w)}" for p, w in ALL_LINES])
def test_every_command_line_names_commands_options_and_targets_that_exist(page: str, words: list[str]) -> None:
    if words[0] == "make":
        assert set(words[1:]) <= TARGETS, f"{page}: no make target of {words[1:]}"
    elif len(words) > 1 and not words[1].startswith("-"):
        command = COMMANDS[words[1]]
        known = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help": None}
        for word in (w for w in words[2:] if re.match(r"--?[a-z]", w)):
            assert word.partition("=")[0] in known, f"{page}: {words[1]} has no option {word}"
        positional = _positional(words[2:], known)
        most = sum(p.param_type_name == "argument" for p in command.params)
        assert len(positional) <= most, f"{page}: {words[1]} takes {most} arguments, not {positional}"


def _positional(words: list[str], known: dict[str, Any]) -> list[str]:
    found, skip = [], False
    for word in words:
        if word.startswith("-"):
            option = known.get(word)
            skip = option is not None and not getattr(option, "is_flag", False)
        elif skip:
            skip = False
        else:
            found.append(word)
    return found


def test_every_command_and_every_option_stands_on_the_page_of_keys_and_commands() -> None:
    text = (DOCS / "keys-and-commands.md").read_text()
    for name, command in COMMANDS.items():
        assert f"`hbase-ferry {name}" in text, name
        for option in (o for p in command.params for o in p.opts if o.startswith("--") and o != "--help"):
            assert f"`{option}" in text, f"{name} {option}"


def test_every_key_of_the_console_stands_on_the_page_of_keys_and_commands() -> None:
    rows = re.findall(r"^\| `([^|]+?)` \|", (DOCS / "keys-and-commands.md").read_text(), re.MULTILINE)
    shown = {key for row in rows for key in re.split(r"`[, ]+`", row)}
    assert {key.shown for key in KEYS} <= shown
    for key in KEYS:
        assert not (key.keys.count(",") and "ctrl+" in key.keys) or key.keys.split(",")[1] in shown, key.keys


@pytest.mark.parametrize("where", SECTIONS, ids=" ".join)
def test_the_page_of_settings_has_every_key_no_other_and_the_true_defaults(where: tuple[str, str]) -> None:
    cls = SECTIONS[where]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", _section(*where), re.MULTILINE))
    assert tuple(rows) == keys_of(cls), "the keys, in the order of settings.py"
    for field in fields(cls):
        if field.name in rows:
            assert _same(rows[field.name], field), f"{field.name}: the page says {rows[field.name]}"


def _section(page: str, heading: str) -> str:
    text = (DOCS / f"{page}.md").read_text()
    return text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _same(said: str, field: Field[Any]) -> bool:
    if field.default is MISSING and field.default_factory is MISSING:
        return said == "required"
    if said == "all defaults":
        return field.default == type(field.default)()
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    if said == "none":
        return default is None
    value = yaml.safe_load(said.strip("`"))
    if isinstance(default, Enum):
        return bool(value == default.value)
    if isinstance(default, tuple) and isinstance(value, str):
        return value.split() == list(default)
    return bool(value == (list(default) if isinstance(default, tuple) else default))


@pytest.mark.parametrize("sample", PLANS)
def test_every_step_of_the_plan_is_explained_in_the_architecture_and_where_the_vendor_page_is_compared(
    sample: str,
) -> None:
    heading, page = PLANS[sample]
    ids = {step.id.split(":", 1)[0] for step in build_plan(load(REPO / "sample_configs" / sample), "<run>").steps}
    told = _section("architecture", heading)
    assert not [i for i in ids if not re.search(rf"\b{i}\b", told)]
    compared = _section(page.removesuffix(".md"), "Steps")
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)(?::TABLE)?`", compared))
    assert ids <= named, ids - named


def test_the_sample_of_a_large_table_shows_every_step_a_bigtable_target_can_have() -> None:
    plans = [build_plan(read, "<run>") for path in SAMPLES if (read := load(path)).target.kind == "bigtable"]
    ids = [{step.id.split(":", 1)[0] for step in plan.steps} for plan in plans]
    largest = build_plan(load(REPO / "sample_configs/bigtable.yaml"), "<run>").steps
    assert len(plans) > 3 and set().union(*ids) == {step.id.split(":", 1)[0] for step in largest}


def test_every_kind_of_loss_is_explained_with_whether_it_closes_the_cutover() -> None:
    section = _section("bigtable-numbers", "The loss ledger")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| (yes|no) \|$", section, re.MULTILINE))
    assert rows == {kind: "no" if kind in INFORMATION else "yes" for kind in get_args(Kind)}


def test_every_counter_of_the_library_and_every_class_of_difference_is_explained() -> None:
    text = (DOCS / "bigtable-numbers.md").read_text()
    assert not [name for name in (*library.LOSS_COUNTERS, library.INCOMPATIBLE) if f"| `{name}` |" not in text]
    assert not [fault for fault in Fault if not re.search(rf"^\| \*{fault}( only)?\* \|", text, re.MULTILINE)]


def test_every_cause_of_a_stall_into_bigtable_is_explained() -> None:
    sources = (REPO / "src/hbase_ferry/insight/bigtable").glob("*.py")
    named = {name for path in sources for name in re.findall(r'Cause\(\s*"([^"]+)"', path.read_text())}
    text = (DOCS / "bigtable-stalls.md").read_text()
    assert len(named) > 15 and not [name for name in named if name not in text]


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("engine", bigtable.BackfillEngine)
def test_starting_again_takes_each_plan_s_steps_back_in_their_order(
    dry_run: bool, engine: bigtable.BackfillEngine
) -> None:
    """Its comments say which line is for which plan; `test_undo_of_every_step…` has what stands."""
    there = load(REPO / "sample_configs/bigtable.yaml")
    assert there.target.bigtable is not None
    backfill = replace(there.target.bigtable.backfill, engine=engine)
    own = replace(there.target.bigtable, dry_run=dry_run, backfill=backfill)
    table = there.tables[0].name
    ids = [step.id for step in build_plan(replace(there, target=replace(there.target, bigtable=own)), "<run>").steps]
    holds = {"": True, "with backfill.engine: importsnapshot": engine is bigtable.BackfillEngine.IMPORTSNAPSHOT,
             "without dry_run": not dry_run, "with dry_run: true": dry_run}  # fmt: skip
    lines = re.findall(r"--undo (\S+)[^#\n]*(?:# (.*))?$", _section("bigtable-stalls", "Starting again"), re.MULTILINE)
    named = [step.replace("TABLE", table) for step, comment in lines if holds[comment]]
    places = [ids.index(step) for step in named]
    assert len(lines) == 6 and places == sorted(places, reverse=True)
    undone = {"enable-peer", "snapshot", "scope", "add-peer", "table"} & {step.partition(":")[0] for step in ids}
    assert {step.partition(":")[0] for step in named} == undone


def test_every_gate_that_may_be_accepted_is_listed() -> None:
    trees = [ast.parse(path.read_text()) for path in (REPO / "src/hbase_ferry/migration").rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    gates = [c for c in calls if getattr(c.func, "id", "") == "Gate" and any(k.arg == "waivable" for k in c.keywords)]
    texts = [c.args[0] for c in gates if isinstance(c.args[0], ast.Constant | ast.JoinedStr)]
    named = {re.sub(r"\{.*", "*", ast.unparse(text).lstrip("f").strip("'")) for text in texts}
    section = _section("how-it-stays-safe", "Nothing is sent unless")
    assert {"disk.free", "retention.*", "way-back"} <= named
    assert not [gate for gate in (*named, "target.foreign.*", "loss.*", "different.*") if f"`{gate}`" not in section]


def test_every_check_of_a_bigtable_crossing_that_is_named_exists() -> None:
    settings = load(REPO / "sample_configs/bigtable.yaml")
    nothing = View(0.0, ClusterView(Side.SOURCE, "a"), ClusterView(Side.TARGET, "b"))
    gates = build_plan(settings, "<run>").step("preflight").gates(nothing)
    known = {gate.name.removeprefix("preflight.") for gate in gates}
    named = {name for page in PAGES for name in re.findall(r"`(bt\.[a-z-]+)`", page.read_text())}
    assert len(named) > 10 and named <= known, named - known


def test_every_exit_code_stands_in_the_readme() -> None:
    text = (REPO / "README.md").read_text()
    assert not [code for code in ExitCode if f"| {int(code)} |" not in text]


def test_every_state_of_a_peer_is_explained() -> None:
    text = (DOCS / "what-the-numbers-mean.md").read_text()
    assert not [state for state in PeerState if f"| *{state}* |" not in text]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_into_the_repository_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            there = (page.parent / path) if path else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in _anchors(there), f"{page.name}: {target}"


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_file_that_is_named_exists(page: Path) -> None:
    for name in code(page):
        if re.fullmatch(r"(?:src|docs|tests|lab|bench|sample_configs|themes)/[\w./-]+", name):
            assert (REPO / name).exists(), f"{page.name}: {name}"


def test_pages_are_short_enough_to_be_read() -> None:
    most = {"README.md": 150, "architecture.md": 120, "CHANGELOG.md": 10_000}
    for page in PAGES:
        assert len(page.read_text().splitlines()) <= most.get(page.name, 100), page.name


def test_the_picture_is_made_by_its_script() -> None:
    made: dict[str, Any] = {"__name__": "picture", "__file__": str(DOCS / "pictures/make.py")}
    exec((DOCS / "pictures/make.py").read_text(), made)
    svg = made["placed"](
        '<text class="a" x="10" y="5" textLength="85.4" clip-path="url(#c)">&#160;ab&#160;c&#160;&#160;</text>'
    )
    assert svg == '<text class="a" x="22.2" y="5" textLength="48.8" clip-path="url(#c)">ab&#160;c</text>'
    committed = (DOCS / "pictures/console.svg").read_text()
    assert "export&#160;shop:orders" in committed and "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", committed)
