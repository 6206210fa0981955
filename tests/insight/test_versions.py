from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbase_ferry.insight import versions

NONSENSE = ("", "unknown", "2", "x.y.z", "-1.2", "２.６.１")


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("2.6.1-hadoop3", (2, 6, 1)),
        ("2.1.0-cdh6.3.2", (2, 1, 0)),
        ("1.4.14", (1, 4, 14)),
        ("3.0.0-alpha-4", (3, 0, 0)),
        ("2.4.19-SNAPSHOT", (2, 4, 19)),
        ("2.2.3.7.1.7.0-551", (2, 2, 3)),
        (" v2.5", (2, 5)),
        ("2.4.17-amzn-1", (2, 4, 17)),
    ],
)
def test_the_leading_numbers_of_a_version_are_read(text: str, parsed: tuple[int, ...] | None) -> None:
    assert versions.parse_version(text) == parsed


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_version(text: str) -> None:
    assert versions.parse_version(text) is None


@given(st.text())
def test_no_text_breaks_any_answer(text: str) -> None:
    for ask in ASKED:
        assert isinstance(ask(text), bool)
    versions.blocks(text)
    versions.cautions(text)


BOUNDARIES: list[tuple[Callable[[str], bool], str, str]] = [
    (
        versions.cleaner_deletes_half_copied,
        "1.3.3 1.3.6 1.4.9 1.4.14 1.5.0 1.7.2 2.1.2 2.1.9 2.2.0 2.2.7 2.2",
        "1.2.6 1.3.2 1.4.0 1.4.8 2.0.0 2.0.6 2.1.0 2.1.1 2.3.0 2.3.7 2.4.18 2.6.4 3.0.0-alpha-4",
    ),
    (versions.born_disabled, "2.0.0 2.0.0-beta-1 2.4.17 3.0.0", "1.2.6 1.4.14 1.7.2"),
    (versions.drops_backlog_on_remove, "1.4.14 2.4.17 2.6.1 3.0.0", ""),
    (versions.disabled_peer_stalls_others, "1.4.14 1.6.0 2.0.6", "1.7.0 1.7.2 2.1.0 2.6.1 3.0.0"),
    (versions.idle_backoff, "2.6.0 2.6.1-hadoop3 2.7.0 3.0.0-alpha-4", "1.4.14 2.2.7 2.4.18 2.5.8 2.5.13"),
    (versions.rich_source_load, "2.3.0 2.4.18 3.0.0", "1.4.14 1.7.2 2.0.0 2.2.7"),
    (versions.needs_double_dash, "2.0.0 2.6.1 3.0.0", "1.2.6 1.4.14 1.7.2"),
    (
        versions.export_rc_trustworthy,
        "1.4.14 1.7.2 2.5.10 2.5.13 2.6.1 3.0.0",
        "2.0.0 2.2 2.4.18 2.5.9 2.6.0 2.6",
    ),
    (versions.export_verifies_checksums, "2.5.9 2.5.13 2.6.1 2.6.4 3.0.0", "1.4.14 2.4.18 2.5.8 2.6.0"),
    (versions.prefix_tree_removed, "2.0.0 2.6.1 3.0.0", "1.4.14 1.7.2"),
    (versions.snapshot_guards_splits, "2.6.0 2.6.4 3.0.0", "1.4.14 2.4.18 2.5.13"),
]
ASKED = [ask for ask, _, _ in BOUNDARIES]


@pytest.mark.parametrize(("ask", "yes", "no"), BOUNDARIES, ids=[ask.__name__ for ask in ASKED])
def test_each_difference_begins_and_ends_at_its_release(
    ask: Callable[[str], bool], yes: str, no: str
) -> None:
    assert [v for v in yes.split() if not ask(v)] == []
    assert [v for v in no.split() if ask(v)] == []


def test_an_unknown_version_gets_the_answer_that_costs_less_when_wrong() -> None:
    assert versions.cleaner_deletes_half_copied("?") is True
    assert versions.born_disabled("?") is False
    assert versions.disabled_peer_stalls_others("?") is True
    assert versions.idle_backoff("?") is True
    assert versions.rich_source_load("?") is True
    assert versions.needs_double_dash("?") is True
    assert versions.export_rc_trustworthy("?") is False
    assert versions.export_verifies_checksums("?") is True
    assert versions.prefix_tree_removed("?") is True
    assert versions.snapshot_guards_splits("?") is False


def test_lines_that_were_seen_to_replicate_are_not_blocked() -> None:
    seen = ("1.4.14", "1.7.2", "2.2.7", "2.4.18", "2.5.8", "2.6.1-hadoop3", "3.0.0-alpha-4")
    assert [version for version in seen if versions.blocks(version)] == []


def test_too_old_too_new_and_unreadable_versions_are_blocked_with_a_sentence() -> None:
    assert "older than 1.4" in versions.blocks("1.2.6")[0]
    assert "newer than 3" in versions.blocks("4.0.0")[0]
    assert "not understood" in versions.blocks("abc")[0]


def test_cautions_name_their_issue() -> None:
    assert any("HBASE-20417" in text for text in versions.cautions("1.4.14"))
    assert versions.cautions("2.6.1") == ()
