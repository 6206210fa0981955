"""What a comparison found, as numbers that add up over ranges, and as the text in which a proof keeps them.

Invariant: `unpack(pack(result)) == result`, so that the newest cursor of a comparison alone tells all of it; its size
does not grow with the table. Made by `compare.engine`, kept by `compare.pieces`, read by `compare.report` and steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hbase_ferry.migration.sampling import Fault, shown

EXAMPLES = 10
"""Differences of each class, and keys of each other kind, that are kept to be shown."""
KEY_WIDTH = 100
"""Characters of a key inside a sentence."""


@dataclass(frozen=True)
class Example:
    """One cell that differs. Times in microseconds; None: not on that side."""

    key: str
    "in hex, as is `qualifier`"
    family: str
    qualifier: str
    fault: Fault
    source_us: int | None
    target_us: int | None
    clamped: bool = False
    "its time on the source is above the greatest that the target can hold"

    @property
    def column(self) -> str:
        """As HBase's shell shows it."""
        return f"{self.family}:{shown(bytes.fromhex(self.qualifier))}"


@dataclass(frozen=True)
class RangeResult:
    """What was found in one range, or in several added up.

    `rows` = `equal` + `different` + `pending` + those whose second look is still due. Canary rows are in none of them.
    """

    rows: int = 0
    "on either side"
    cells: int = 0
    "on either side; one that is on both counts once"
    equal: int = 0
    "rows"
    different: int = 0
    "rows that still differed after the time a write may be under way"
    pending: int = 0
    "rows whose differing cells changed on the source until the end: nothing is known of those"
    not_compared: int = 0
    "rows too large for one answer"
    gc: int = 0
    "cells on one side that the source's retention lets go: not a difference"
    clamped: int = 0
    "of the cells with another timestamp: those whose time the target cannot hold"
    faults: Mapping[Fault, int] = field(default_factory=dict)
    "differing cells by class; a class without any is absent"
    examples: tuple[Example, ...] = ()
    pending_keys: tuple[str, ...] = ()
    not_compared_keys: tuple[str, ...] = ()
    clamped_rows: int = 0
    "of the rows that differ: those that do in cells alone whose time the target cannot hold"

    def __add__(self, other: RangeResult) -> RangeResult:
        numbers = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        faults = {f: n for f in Fault if (n := self.faults.get(f, 0) + other.faults.get(f, 0))}
        return RangeResult(
            **numbers,
            faults=faults,
            examples=_few_of_each((*self.examples, *other.examples)),
            pending_keys=(*self.pending_keys, *other.pending_keys)[:EXAMPLES],
            not_compared_keys=(*self.not_compared_keys, *other.not_compared_keys)[:EXAMPLES],
        )

    @property
    def differences(self) -> int:
        """Cells that differ."""
        return sum(self.faults.values())


_NUMBERS = ("rows", "cells", "equal", "different", "pending", "not_compared", "gc", "clamped", "clamped_rows")


def pack(result: RangeResult) -> dict[str, str]:
    """As a proof's basis keeps it."""
    found = [[e.key, e.family, e.qualifier, e.fault, e.source_us, e.target_us, e.clamped] for e in result.examples]
    return {
        **{name: str(getattr(result, name)) for name in _NUMBERS},
        "faults": json.dumps(dict(result.faults)),
        "examples": json.dumps(found),
        "pending_keys": " ".join(result.pending_keys),
        "not_compared_keys": " ".join(result.not_compared_keys),
    }


def unpack(basis: Mapping[str, str]) -> RangeResult:
    """The result in a basis, also in one without a number that is kept by now; KeyError, ValueError: it is not one."""
    return RangeResult(
        **{name: int(basis.get(name, "0")) for name in _NUMBERS},
        faults={Fault(name): number for name, number in json.loads(basis["faults"]).items()},
        examples=tuple(_example(*item) for item in json.loads(basis["examples"])),
        pending_keys=tuple(basis["pending_keys"].split()),
        not_compared_keys=tuple(basis["not_compared_keys"].split()),
    )


def brief(key_hex: str) -> str:
    """A key for a sentence: as HBase's shell shows it, cut at KEY_WIDTH."""
    text = shown(bytes.fromhex(key_hex))
    return text if len(text) <= KEY_WIDTH else f"{text[:KEY_WIDTH]}..."


def place(next_hex: str) -> str:
    """Where a reading stands, for a sentence: mostly the first key that was not read is the one behind the last."""
    return brief(next_hex.removesuffix("00"))


def _example(
    key: str, family: str, qualifier: str, fault: str, source_us: int | None, target_us: int | None, clamped: bool
) -> Example:
    return Example(key, family, qualifier, Fault(fault), source_us, target_us, clamped)


def _few_of_each(examples: tuple[Example, ...]) -> tuple[Example, ...]:
    kept: dict[Fault, list[Example]] = {fault: [] for fault in Fault}
    for example in examples:
        if len(kept[example.fault]) < EXAMPLES:
            kept[example.fault].append(example)
    return tuple(example for few in kept.values() for example in few)
