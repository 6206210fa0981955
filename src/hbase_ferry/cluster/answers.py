"""The wire's schema, applied: foreign strings are made safe, then the answer must fit its dataclass exactly.

Keys nobody asked for are ignored (a newer agent may say more); a missing key or a wrong type is BadAnswer, because a
value that is guessed is worse than one that is unknown. Called by `cluster.client` only.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from hbase_ferry.cluster.wire import METHODS
from hbase_ferry.errors import BadAnswer
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.text import safe_text


def read_answer(method: str, raw: Json, side: Side, cluster: str = "") -> Any:
    """`raw` as METHODS[method].answer. Jobs get their `side` here: an edge node does not know which one it is.

    Raises BadAnswer naming the first field that does not fit.
    """
    answer = _safe_lines(raw) if method == "job.read" else _safe(raw, _LONGEST.get(method, 10_000))
    if method.startswith("job."):
        answer = _with_side(answer, side)
    try:
        return _adapter(method).validate_json(json.dumps(answer), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f"{cluster}: " if cluster else ""
        raise BadAnswer(f"{where}{method}: the answer's {field or 'value'} does not fit: {first['msg']}") from error


@cache
def _adapter(method: str) -> TypeAdapter[Any]:
    answer = METHODS[method].answer
    if hasattr(answer, "__dataclass_fields__") or hasattr(answer, "__origin__"):
        return TypeAdapter(answer)
    return TypeAdapter(answer, config=ConfigDict(strict=True))


_LONGEST = {"rows.scan": 2**31}
"""Characters of a text that are kept, where it is not one for people: a cell's value is whole or it is wrong."""


def _safe(value: Json, limit: int = 10_000) -> Json:
    if isinstance(value, str):
        return safe_text(value, limit)
    if isinstance(value, list):
        return [_safe(item, limit) for item in value]
    if isinstance(value, dict):
        return {safe_text(key): _safe(item, limit) for key, item in value.items()}
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
