"""The wire's schema, applied: foreign strings are made safe, then the answer must fit its dataclass exactly.

Keys nobody asked for are ignored (a newer agent may say more); a missing key or a wrong type is BadAnswer, because a
value that is guessed is worse than one that is unknown. Of a page of rows all texts but the families' names must be
hex, which makes them safe; they are checked together, since there may be a hundred thousand. Called by
`cluster.client` only.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from hbase_ferry.cluster.wire import METHODS
from hbase_ferry.errors import BadAnswer
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.rows import RowPage
from hbase_ferry.model.text import safe_text

_HEX_DIGITS = "0123456789abcdef"


def read_answer(method: str, raw: Json, side: Side, cluster: str = "") -> Any:
    """`raw` as METHODS[method].answer. Jobs get their `side` here: an edge node does not know which one it is.

    Raises BadAnswer naming the first field that does not fit.
    """
    if method == "rows.scan" and (page := _row_page(raw)) is not None:
        return page
    answer = _safe_lines(raw) if method == "job.read" else _safe(raw)
    if method.startswith("job."):
        answer = _with_side(answer, side)
    where = f"{cluster}: " if cluster else ""
    try:
        found = _adapter(method).validate_json(json.dumps(answer), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadAnswer(f"{where}{method}: the answer's {field or 'value'} does not fit: {first['msg']}") from error
    if method == "rows.scan":
        raise BadAnswer(f"{where}{method}: the answer does not fit: a key, a qualifier or a value in it is not hex")
    return found


def _row_page(raw: Any) -> RowPage | None:
    """The page; None where anything of it does not fit."""
    try:
        rows, skipped, following, size = raw["rows"], raw["skipped"], raw["next"], raw["bytes"]
        cells = [cell for _, inside in rows for cell in inside]
        families, qualifiers, times, values = zip(*cells, strict=True) if cells else ((), (), (), ())
        texts = [*[key for key, _ in rows], *skipped, following or "", *qualifiers, *values]
        fits = type(size) is int and set(map(type, times)) <= {int} and isinstance(following, str | None)
        if not fits or "".join(texts).strip(_HEX_DIGITS) or any(length & 1 for length in set(map(len, texts))):
            return None
        names = {family: safe_text(family) for family in set(families)}
        typed = zip(map(names.__getitem__, families), qualifiers, times, values, strict=True)
        found = tuple([(key, tuple(islice(typed, len(inside)))) for key, inside in rows])
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
    return RowPage(found, following, size, tuple(skipped))


@cache
def _adapter(method: str) -> TypeAdapter[Any]:
    answer = METHODS[method].answer
    if hasattr(answer, "__dataclass_fields__") or hasattr(answer, "__origin__"):
        return TypeAdapter(answer)
    return TypeAdapter(answer, config=ConfigDict(strict=True))


def _safe(value: Json) -> Json:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, dict):
        return {safe_text(key): _safe(item) for key, item in value.items()}
    return value


def _safe_lines(raw: Json) -> Json:
    """A job's output keeps its line breaks; everything else in it is made safe line by line."""
    if not isinstance(raw, dict) or not isinstance(raw.get("text"), str):
        return _safe(raw)
    lines = str(raw["text"]).replace("\r\n", "\n").split("\n")
    return {**raw, "text": "\n".join(safe_text(line.expandtabs(), 1_000_000) for line in lines)}


def _with_side(answer: Json, side: Side) -> Json:
    if isinstance(answer, dict) and isinstance(answer.get("items"), list):
        return {**answer, "items": [_with_side(item, side) for item in answer["items"]]}  # type: ignore[union-attr]
    return {**answer, "side": side.value} if isinstance(answer, dict) else answer
