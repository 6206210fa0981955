"""What happened, in order. The journal, the log pane, `--json` and the tests read the same events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class EventKind(StrEnum):
    """`INTENT` is on disk before its action is sent; `SENT` and `FAILED` after the answer; the rest are talk."""

    STEP_STARTED = "step-started"
    INTENT = "intent"
    SENT = "sent"
    FAILED = "failed"
    PROGRESS = "progress"
    OBSERVED = "observed"
    PROOF = "proof"
    WAIVED = "waived"
    REFUSED = "refused"
    STEP_DONE = "step-done"
    STEP_FAILED = "step-failed"
    INTERRUPTED = "interrupted"
    NOTE = "note"


@dataclass(frozen=True)
class Event:
    """One thing that happened. `data` is JSON-ready; `text` is one safe line for people."""

    number: int
    "position in the journal, from 1; 0 for an event that is not journaled (progress)"
    at: float
    kind: EventKind
    step: str
    text: str
    data: Mapping[str, Json] = field(default_factory=dict)
