"""Every error this product raises on purpose. Foreign exceptions become one of these once, at the edge.

    FerryError
    ├── ConfigError         the YAML or a name in it is wrong; all problems at once
    ├── Refused             a gate or a guard said no; carries the reasons, each with its number
    ├── StepFailed          an action was sent and did not have its effect
    ├── Unreachable         the cluster, its edge node or its agent does not answer
    │   └── DeadlineExceeded   a call took longer than its deadline; whether it had an effect is not known
    ├── AgentError          HBase, or our agent inside its JVM, answered with an error (class and text kept)
    └── BadAnswer           an answer that does not fit the wire's schema: the value is unknown, never a success

The message is for people: what happened, to which cluster and object, what to do next. The command line maps
each class to its exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class FerryError(Exception):
    """Base of all errors raised on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration: where (file, 1-based line or 0, dotted key) and what."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(FerryError):
    """All problems of one configuration file, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refused(FerryError):
    """A gate or guard said no. Nothing was sent."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons))


class StepFailed(FerryError):
    """An action was sent, and the cluster does not show its effect."""


class Unreachable(FerryError):
    """The cluster, its edge node or its agent does not answer."""


class DeadlineExceeded(Unreachable):
    """A call took longer than its deadline. Its effect is not known; look at the cluster before trying again."""


class AgentError(FerryError):
    """HBase or the agent answered with an error. `kind` is the Java class' full name (or our own error's name)."""

    def __init__(self, kind: str, message: str, *, method: str = "", cluster: str = "") -> None:
        self.kind = kind
        self.text = message
        self.method = method
        self.cluster = cluster
        where = f"{cluster}: " if cluster else ""
        what = f"{method}: " if method else ""
        super().__init__(f"{where}{what}{kind.rsplit('.', 1)[-1]}: {message}")


class BadAnswer(FerryError):
    """An answer that does not fit the wire's schema."""
