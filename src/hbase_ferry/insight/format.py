"""Numbers as people read them, the same on every screen, line and page.

Invariant: every function answers for every input, None, NaN and infinities included, with one short
line of ASCII; a number no cluster can have (10^21 and more) is unknown.
Sizes are in steps of 1024 with the names that `hdfs dfs -du -h` users know; thousands are set apart by a
blank. Called by the rest of `insight`, by the plan's sentences, the console and the command line.
"""

from __future__ import annotations

import math
import time

UNKNOWN = "unknown"
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


def _finite(value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e21 else None


def count(value: float | None) -> str:
    """1234567 -> "1 234 567". Fractions are rounded."""
    number = _finite(value)
    return UNKNOWN if number is None else f"{round(number):,}".replace(",", " ")


def size(value: float | None) -> str:
    """Bytes: 49_387_929 -> "47.1 MB"; three digits at most before the unit, one after the point below 100."""
    number = _finite(value)
    if number is None:
        return UNKNOWN
    sign, number = ("-" if number < 0 else ""), abs(number)
    if round(number) < 1024:
        return f"{sign}{round(number)} B"
    unit = 0
    while unit < len(_UNITS) - 1 and round(number, 1 if number < 99.95 else 0) >= 1000:
        number /= 1024
        unit += 1
    if unit == 0:
        number, unit = number / 1024, 1
    digits = f"{number:.1f}" if number < 99.95 else count(number)
    return f"{sign}{digits} {_UNITS[unit]}"


def millis(value: float | None) -> str:
    """5200 -> "5 200 ms"."""
    number = _finite(value)
    return UNKNOWN if number is None else f"{count(number)} ms"


def duration(seconds: float | None) -> str:
    """Seconds: "350 ms", "9 s", "4 min 5 s", "12 min", "9 h 40" (hours and minutes), "3 d 4 h"."""
    number = _finite(seconds)
    if number is None:
        return UNKNOWN
    sign, number = ("-" if number < 0 else ""), abs(number)
    if 0 < number < 0.9995:
        return f"{sign}{max(1, round(number * 1000))} ms"
    whole = round(number)
    if whole < 60:
        return f"{sign}{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10 and rest:
        return f"{sign}{minutes} min {rest} s"
    if minutes < 60:
        return f"{sign}{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{sign}{hours} h {minutes:02d}" if minutes else f"{sign}{hours} h"
    days, hours = divmod(hours, 24)
    return f"{sign}{count(days)} d {hours} h" if hours else f"{sign}{count(days)} d"


def age(seconds: float | None) -> str:
    """How old a value is: "1 s old"; None: "never seen". A value from the future counts as new."""
    number = _finite(seconds)
    return "never seen" if number is None else f"{duration(float(max(0, round(number))))} old"


def rate(per_second: float | None, unit: str = "") -> str:
    """Per second: rate(500, "rows") -> "500 rows/s"; rate(4.4e6, "bytes") -> "4.2 MB/s". Below 10 with one
    digit."""
    number = _finite(per_second)
    if number is None:
        return UNKNOWN
    if unit == "bytes":
        return f"{size(number)}/s"
    digits = f"{number:.1f}" if 0 < abs(number) < 9.95 and number != round(number) else count(number)
    return f"{digits} {unit}/s" if unit else f"{digits}/s"


def percent(fraction: float | None) -> str:
    """0.625 -> "62 %"; cut, not rounded: 100 % is said of the whole alone."""
    number = _finite(fraction)
    return UNKNOWN if number is None else f"{count(math.floor(number * 100 + 1e-9))} %"


def moment(at: float | None) -> str:
    """Epoch seconds as this machine's wall time: "14:02:11"; None: "never"."""
    number = _finite(at)
    if number is None:
        return "never"
    try:
        return time.strftime("%H:%M:%S", time.localtime(number))
    except (OverflowError, ValueError, OSError):
        return UNKNOWN


def plural(number: int, noun: str, many: str = "") -> str:
    """plural(1, "WAL") -> "1 WAL"; plural(3, "WAL") -> "3 WALs"; an irregular plural is given."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"
