"""A comparison's outcome as lines for people: what was read, what differs and where, what to do about each class.

Invariant: keys and qualifiers are shown as HBase's shell shows them, so that a line can be pasted there and harms no
terminal. Called by steps, the command line and the console; what the target's own kind calls things is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from hbase_ferry.insight.format import count, plural
from hbase_ferry.migration.commands import ruby
from hbase_ferry.migration.compare.pieces import CompareState
from hbase_ferry.migration.compare.result import Example
from hbase_ferry.migration.sampling import Fault, shown
from hbase_ferry.model.rows import Limits

MEANING: Mapping[Fault, str] = {
    Fault.MISSING: "on the source, not on the target",
    Fault.EXTRA: "on the target, not on the source",
    Fault.VALUE: "other bytes on the target",
    Fault.TIMESTAMP: "the same bytes on the target, with another timestamp",
}
REPAIR: Mapping[Fault, str] = {
    Fault.MISSING: "write these rows of the source to the target again: timestamps stay, and twice does no harm",
    Fault.EXTRA: "delete these columns on the target, then write the source's rows again: nothing else removes them",
    Fault.VALUE: "write these rows of the source to the target again: cells of the same time are overwritten",
    Fault.TIMESTAMP: "delete these columns on the target, then write the source's rows again",
}
CLAMPED = (
    "with a time later than the target can hold: it carries the greatest one, and of several such versions "
    "one is left; no repair: accept it, or let the application write other timestamps"
)

NO_LIMITS = Limits()
TOO_LONG = "of these have a key or qualifier longer than the target takes: no repair, accept them"

Delete = Callable[[Example], str]
"""The command that deletes the example's column on the target."""


def report(
    table: str, state: CompareState, delete: Delete | None = None, limits: Limits = NO_LIMITS
) -> tuple[str, ...]:
    """The whole report, one line each. `limits`: of the target; nothing above them can be written to it."""
    found = state.result
    lines = [_summary(table, state)]
    if state.broken_off:
        lines.append(f"broken off after {plural(found.different, 'row')} that differ: {table} needs its history anew")
    for fault in Fault:
        lines += _of_class(table, fault, state, delete, limits)
    if found.clamped:
        lines.append(f"{plural(found.clamped, 'cell')} of these {CLAMPED}")
    lines += _keys("pending, a write was under way: compare again", state.pending, _pending_keys(state))
    too_large = "too large for one answer and not compared: look at it by other means"
    lines += _keys(too_large, found.not_compared, found.not_compared_keys)
    if found.gc:
        lines.append(f"{plural(found.gc, 'cell')} on one side only that the source's retention lets go: no difference")
    return tuple(lines)


def get_command(table: str, example: Example) -> str:
    """The `hbase shell` line that shows the example's column on the source.

    The shell reads COLUMN as family:qualifier:CONVERTER and evaluates a converter c(X).m as Ruby (set_converter in
    hbase-shell's hbase/table.rb): a qualifier with a colon is left out, and its whole family is shown.
    """
    qualifier = bytes.fromhex(example.qualifier)
    column = example.family.encode() + (b":" + qualifier if b":" not in qualifier else b"")
    key = _quoted(bytes.fromhex(example.key))
    return f"get {ruby(table)}, {key}, {{ COLUMN => {_quoted(column)}, VERSIONS => 100 }}"


def moment(time_us: int | None) -> str:
    """A cell's time: the milliseconds HBase's shell shows, and the UTC they mean where that is a date.

    Microseconds of which HBase has none are shown: two times that differ in them alone would look the same.
    """
    if time_us is None:
        return "absent"
    millis, micros = divmod(time_us, 1000)
    rest = f"{micros:03}" if micros else ""
    number = f"{millis}.{rest}" if rest else str(millis)
    try:
        told = datetime.fromtimestamp(millis // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return number
    return f"{number} ({told}.{millis % 1000:03}{rest} UTC)"


def _summary(table: str, state: CompareState) -> str:
    found = state.result
    return (
        f"{table}: {plural(found.rows, 'row')}, {plural(found.cells, 'cell')} compared: "
        f"{count(found.equal)} equal, {count(found.different)} different, {count(state.pending)} pending, "
        f"{count(found.not_compared)} too large to be compared"
    )


def _of_class(table: str, fault: Fault, state: CompareState, delete: Delete | None, limits: Limits) -> list[str]:
    number = state.result.faults.get(fault, 0)
    if not number:
        return []
    name = "timestamp only" if fault is Fault.TIMESTAMP else fault.value
    examples = [example for example in state.result.examples if example.fault is fault]
    lines = [f"{name}: {plural(number, 'cell')}, {MEANING[fault]}"]
    lines += [_line(example) for example in examples]
    lines += [f"  and {count(number - len(examples))} more"] if number > len(examples) else []
    too_long = [e for e in examples if not (limits.takes_key(e.key) and limits.takes_qualifier(e.qualifier))]
    lines += [f"  {count(len(too_long))} {TOO_LONG}"] if too_long else []
    if not (worth := [e for e in examples if not e.clamped and e not in too_long]):
        return lines
    lines += [f"  repair: {REPAIR[fault]}", f"  on the source: {get_command(table, worth[0])}"]
    if delete is not None and fault in (Fault.EXTRA, Fault.TIMESTAMP):
        lines.append(f"  on the target: {delete(worth[0])}")
    return lines


def _line(example: Example) -> str:
    times = f"source {moment(example.source_us)}, target {moment(example.target_us)}"
    return f"  {shown(bytes.fromhex(example.key))}  {example.column}  {times}"


def _pending_keys(state: CompareState) -> tuple[str, ...]:
    return (*state.result.pending_keys, *(doubt.key for doubt in state.doubts))


def _keys(what: str, number: int, keys: tuple[str, ...]) -> list[str]:
    if not number:
        return []
    named = ", ".join(shown(bytes.fromhex(key)) for key in keys[:10])
    more = f" and {count(number - 10)} more" if number > 10 else ""
    return [f"{plural(number, 'row')} {what}", f"  {named}{more}"]


def _quoted(text: bytes) -> str:
    """As a Ruby double-quoted string."""
    return '"' + shown(text).replace('"', "\\x22").replace("#", "\\x23") + '"'
