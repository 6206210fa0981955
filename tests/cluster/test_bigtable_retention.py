"""Retention as a value, as cbt's text and as Bigtable's message."""

from __future__ import annotations

import pytest
from google.cloud.bigtable_admin_v2.types import GcRule
from hypothesis import given
from hypothesis import strategies as st

from hbase_ferry.cluster.bigtable.messages import from_message, to_message
from hbase_ferry.model.bigtable.retention import (
    FOREVER,
    Join,
    Joined,
    Limits,
    MaxAge,
    MaxVersions,
    Never,
    Rule,
    join,
    limits,
    parse,
    text,
)

single: st.SearchStrategy[Rule] = st.one_of(
    st.builds(MaxVersions, st.integers(1, FOREVER)),
    st.builds(MaxAge, st.one_of(st.integers(1_000, 10**10), st.integers(1, 10**6).map(lambda s: s * 10**6))),
    st.just(Never()),
)
rules: st.SearchStrategy[Rule] = st.recursive(
    single,
    lambda inside: st.builds(join, st.sampled_from(Join), st.lists(inside, min_size=1, max_size=4)),
    max_leaves=9,
)


@given(rules)
def test_a_rule_survives_its_text(rule: Rule) -> None:
    assert parse(text(rule)) == rule


@given(rules)
def test_a_rule_survives_its_message(rule: Rule) -> None:
    assert from_message(GcRule.pb(to_message(rule))) == rule


@given(rules)
def test_a_message_survives_the_wire(rule: Rule) -> None:
    assert from_message(GcRule.pb(GcRule.deserialize(GcRule.serialize(to_message(rule))))) == rule


def drops(rule: Rule, newer: int, micros: int) -> bool:
    """Whether a cell goes; straight from the meaning of the parts."""
    if isinstance(rule, Never):
        return False
    if isinstance(rule, MaxVersions):
        return newer >= rule.count
    if isinstance(rule, MaxAge):
        return micros > rule.micros
    parts = [drops(part, newer, micros) for part in rule.parts]
    return all(parts) if rule.by is Join.AND else any(parts)


small: st.SearchStrategy[Rule] = st.one_of(
    st.builds(MaxVersions, st.integers(1, 4)),
    st.builds(MaxAge, st.integers(1, 4).map(lambda s: s * 10**6)),
    st.just(Never()),
)


@given(st.sampled_from(Join), st.lists(small, min_size=1, max_size=3), st.lists(small, min_size=1, max_size=3))
def test_joining_keeps_the_meaning_in_any_order(by: Join, first: list[Rule], second: list[Rule]) -> None:
    other = Join.OR if by is Join.AND else Join.AND
    rule = join(by, [join(other, first), *second])
    assert rule == join(by, [*reversed(second), join(other, list(reversed(first)))])
    for newer in range(6):
        for micros in range(0, 6 * 10**6, 500_000):
            inner = [drops(part, newer, micros) for part in first]
            outer = [drops(part, newer, micros) for part in second]
            inside = all(inner) if other is Join.AND else any(inner)
            wanted = all([inside, *outer]) if by is Join.AND else any([inside, *outer])
            assert drops(rule, newer, micros) == wanted


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ("never", "never"),
        ("maxversions=3", "maxversions=3"),
        ("maxversions=3 or maxage=1d", "maxage=86400s or maxversions=3"),
        ("maxage=24h||maxversions=3", "maxage=86400s or maxversions=3"),
        ("maxversions=3 or (maxversions=2 and maxage=1440m)", "(maxage=86400s and maxversions=2) or maxversions=3"),
        ("maxversions=2 and maxage=86400s or maxversions=3", "(maxage=86400s and maxversions=2) or maxversions=3"),
        ("((maxage=1500ms))", "maxage=1.5s"),
        ("maxage=1.5h", "maxage=5400s"),
        ("maxversions=1 or maxversions=1", "maxversions=1"),
        ("never or maxversions=1", "maxversions=1"),
        ("never and maxversions=1", "never"),
    ],
)
def test_texts_of_cbt_have_one_canonical_form(source: str, canonical: str) -> None:
    assert text(parse(source)) == canonical


@pytest.mark.parametrize(
    "source",
    [
        "", "3", "maxversions", "maxversions=0", "maxversions=-1", "maxversions=2147483648", "maxage=1", "maxage=1w",
        "maxage=0s", "maxage=999us", "maxversions=1 maxversions=2", "maxversions=1 or", "or maxversions=1", "()",
        "(maxversions=1", "maxversions=1)", "maxversions=1 & maxversions=2", "maxversions=1 xor never",
        "(" * 99 + "never" + ")" * 99, "maxage=999999999999d", "maxversions=٣",
    ],
)  # fmt: skip
def test_what_is_no_retention_is_refused_with_a_sentence(source: str) -> None:
    with pytest.raises(ValueError, match=r"is no(t| retention)"):
        parse(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("never", Limits(FOREVER, FOREVER)),
        ("maxversions=5", Limits(5, FOREVER)),
        ("maxage=3600s", Limits(FOREVER, 3600)),
        ("maxversions=5 or maxage=3600s", Limits(5, 3600)),
        ("(maxversions=2 and maxage=3600s) or maxversions=5", Limits(5, 3600, 2)),
        ("maxversions=2 and maxage=3600s", Limits(FOREVER, 3600, 2)),
        ("maxage=1500ms", Limits(0, 0)),
        ("maxversions=1 or maxversions=2", Limits(0, 0)),
        ("maxversions=9 and (maxage=1s or maxversions=2)", Limits(0, 0)),
    ],
)
def test_hbases_words_are_given_where_hbase_has_them(source: str, expected: Limits) -> None:
    assert limits(parse(source)) == expected


def test_a_rule_of_a_kind_that_is_not_known_is_never_taken_for_never() -> None:
    message = GcRule.pb(GcRule()).FromString(b"\x52\x02\x08\x01")  # field 10, as a later version may add one
    with pytest.raises(ValueError, match="not known"):
        from_message(message)


def test_a_joined_rule_has_its_parts_in_order() -> None:
    rule = parse("maxversions=3 or maxage=1s")
    assert rule == Joined(Join.OR, (MaxAge(1_000_000), MaxVersions(3)))
