"""What a column family keeps: a garbage collection rule as a value and as text.

The text is what `cbt setgcpolicy` takes: `maxversions=3`, `maxage=86400s`, `maxage=86400s or maxversions=3`,
`(maxage=86400s and maxversions=2) or maxversions=3`, `never`. `or` drops a cell that any part drops, `and` one that
all parts drop. Invariant: `parse` gives a canonical rule (one level a kind of join, parts without repetition and in
the order of their texts), so two rules that say the same in another order are equal and have the same text. Called by
the real client, the simulated instance and the steps that compare a table with what is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

FOREVER = 2**31 - 1
"""HBase's "no limit" of VERSIONS and TTL (HConstants.FOREVER)."""
NEVER_TEXT = "never"
MICROS = 1_000_000
"""Of a second: the unit of `MaxAge`."""
_UNITS = {"us": 1, "ms": 1_000, "s": MICROS, "m": 60 * MICROS, "h": 3_600 * MICROS, "d": 86_400 * MICROS}
_LONGEST = 315_576_000_000 * MICROS
"""Of a google.protobuf.Duration, microseconds."""
_DEEPEST = 20


@dataclass(frozen=True)
class Never:
    """Nothing is ever dropped."""


@dataclass(frozen=True)
class MaxVersions:
    """All but the newest `count` cells of a column are dropped."""

    count: int


@dataclass(frozen=True)
class MaxAge:
    """Cells older than this are dropped."""

    micros: int


class Join(StrEnum):
    AND = "and"
    OR = "or"


@dataclass(frozen=True)
class Joined:
    """At least two parts, none of them a `Joined` of the same kind or `Never`. Made by `join`."""

    by: Join
    parts: tuple[Rule, ...]


Rule: TypeAlias = Never | MaxVersions | MaxAge | Joined


def join(by: Join, parts: Iterable[Rule]) -> Rule:
    """The canonical rule of these parts. `never` adds nothing to an `or`, and nothing else counts beside it in an
    `and`."""
    flat: dict[str, Rule] = {}
    for part in parts:
        for one in part.parts if isinstance(part, Joined) and part.by is by else (part,):
            if not isinstance(one, Never):
                flat[_nested(one)] = one
            elif by is Join.AND:
                return one
    ordered = tuple(flat[text] for text in sorted(flat))
    if len(ordered) > 1:
        return Joined(by, ordered)
    return ordered[0] if ordered else Never()


# ---- text


def text(rule: Rule) -> str:
    """The rule as cbt takes it."""
    if isinstance(rule, Never):
        return NEVER_TEXT
    if isinstance(rule, MaxVersions):
        return f"maxversions={rule.count}"
    if isinstance(rule, MaxAge):
        seconds, rest = divmod(rule.micros, MICROS)
        return f"maxage={seconds}{f'.{rest:06d}'.rstrip('0') if rest else ''}s"
    return f" {rule.by} ".join(_nested(part) for part in rule.parts)


def _nested(rule: Rule) -> str:
    return f"({text(rule)})" if isinstance(rule, Joined) else text(rule)


def parse(source: str) -> Rule:
    """The canonical rule of a text. Units of an age: us, ms, s, m, h, d. Raises ValueError, a sentence."""
    words = re.findall(r"[()]|&&|\|\||[^\s()&|]+|[&|]", source)
    rule, left = _alternatives(words, source, 0)
    if left:
        raise ValueError(f"{source!r} is no retention: {left[0]!r} is not expected there")
    return rule


def _alternatives(words: list[str], source: str, depth: int) -> tuple[Rule, list[str]]:
    """`and` binds closer than `or`, as in cbt."""
    if depth > _DEEPEST:
        raise ValueError(f"{source[:80]!r} is no retention: it is nested more than {_DEEPEST} levels deep")
    parts = []
    while True:
        conditions = []
        while True:
            rule, words = _condition(words, source, depth)
            conditions.append(rule)
            if not words or words[0] not in ("and", "&&"):
                break
            words = words[1:]
        parts.append(join(Join.AND, conditions))
        if not words or words[0] not in ("or", "||"):
            return join(Join.OR, parts), words
        words = words[1:]


def _condition(words: list[str], source: str, depth: int) -> tuple[Rule, list[str]]:
    if not words:
        raise ValueError(f"{source!r} is no retention: a condition is missing at its end")
    word, rest = words[0], words[1:]
    if word == "(":
        rule, rest = _alternatives(rest, source, depth + 1)
        if rest[:1] != [")"]:
            raise ValueError(f"{source!r} is no retention: a closing parenthesis is missing")
        return rule, rest[1:]
    return _single(word, source), rest


def _single(word: str, source: str) -> Rule:
    if word == NEVER_TEXT:
        return Never()
    if found := re.fullmatch(r"maxversions=([0-9]{1,10})", word):
        return _versions(int(found[1]))
    if found := re.fullmatch(r"maxage=([0-9]{1,18})(?:\.([0-9]{1,6}))?(us|ms|s|m|h|d)", word):
        unit = _UNITS[found[3]]
        return _age(int(found[1]) * unit + int((found[2] or "0").ljust(6, "0")) * unit // MICROS)
    raise ValueError(
        f"{source!r} is no retention: {word!r} is neither maxversions=N nor maxage=N with a unit (s, m, h, d) nor never"
    )


def _versions(count: int) -> MaxVersions:
    if not 1 <= count <= FOREVER:
        raise ValueError(f"maxversions={count} is not a number of versions from 1 to {FOREVER}")
    return MaxVersions(count)


def _age(micros: int) -> MaxAge:
    if not 1_000 <= micros <= _LONGEST:
        raise ValueError(f"{text(MaxAge(micros))} is not an age from 1 ms to 10 000 years")
    return MaxAge(micros)


# ---- HBase's words for the same


@dataclass(frozen=True)
class Limits:
    """VERSIONS, TTL in seconds and MIN_VERSIONS; 0, 0, 0 where HBase has no words for the rule."""

    versions: int
    ttl_seconds: int
    min_versions: int = 0


def limits(rule: Rule) -> Limits:
    """What an HBase family with the same effect has; of the shapes that a migrated family can have."""
    if isinstance(rule, Never):
        return Limits(FOREVER, FOREVER)
    if isinstance(rule, MaxVersions):
        return Limits(rule.count, FOREVER)
    if isinstance(rule, MaxAge):
        seconds, rest = divmod(rule.micros, MICROS)
        return Limits(FOREVER, seconds) if not rest and seconds <= FOREVER else Limits(0, 0)
    if rule.by is Join.AND:
        return _aged_beyond(rule)
    if len(rule.parts) == 2 and isinstance(rule.parts[1], MaxVersions):
        aged, most = limits(rule.parts[0]), rule.parts[1].count
        if aged.versions == FOREVER:
            return Limits(most, aged.ttl_seconds, aged.min_versions)
    return Limits(0, 0)


def _aged_beyond(rule: Joined) -> Limits:
    """`maxage and maxversions`: old cells go once there are so many newer ones."""
    age, least = rule.parts[0], rule.parts[-1]
    if len(rule.parts) == 2 and isinstance(age, MaxAge) and isinstance(least, MaxVersions):
        aged = limits(age)
        return Limits(aged.versions, aged.ttl_seconds, least.count if aged.versions else 0)
    return Limits(0, 0)
