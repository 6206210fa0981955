"""A gRPC server on the loopback that answers Bigtable's methods as a test says: what the emulator cannot say, and
failures at chosen moments. The client under test is the real one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.cloud import bigtable_admin_v2, bigtable_v2

from hbase_ferry.cluster.bigtable.connect import connect_instance
from hbase_ferry.cluster.wire import Wire
from hbase_ferry.migration.bigtable.settings import BigtableSettings

PATH = "projects/some-project/instances/some-instance"
_STREAMS = ("ReadRows", "MutateRows")


class Refusal(Exception):
    """What a handler raises to answer with a gRPC status."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        self.code, self.text = code, text


class FakeBigtable(grpc.GenericRpcHandler):
    """`on[method](request) -> response` (of a stream: an iterable of them), all proto-plus messages; `asked` collects
    (method, request, seconds left of its deadline)."""

    def __init__(self) -> None:
        self.on: dict[str, Callable[[Any], Any]] = {}
        self.asked: list[tuple[str, Any, float]] = []
        self.address = ""
        self.stop: Callable[[], object] = lambda: None

    def service(self, details: Any) -> Any:
        method = details.method.rsplit("/", 1)[-1]
        handler = grpc.unary_stream_rpc_method_handler if method in _STREAMS else grpc.unary_unary_rpc_method_handler
        stream = method in _STREAMS

        def unary(raw: bytes, context: Any) -> bytes:
            return _bytes(self._answer(method, raw, context))

        def streaming(raw: bytes, context: Any) -> Iterator[bytes]:
            try:
                yield from map(_bytes, self._answer(method, raw, context))
            except Refusal as refusal:
                context.abort(refusal.code, refusal.text)

        return handler(streaming if stream else unary)

    def _answer(self, method: str, raw: bytes, context: Any) -> Any:
        request = _request(method, raw)
        self.asked.append((method, request, context.time_remaining()))
        if method not in self.on:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in this test")
        try:
            return self.on[method](request)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.text)

    def count(self, method: str) -> int:
        return sum(asked == method for asked, _, _ in self.asked)

    def connect(self, **settings: Any) -> Wire:
        own = BigtableSettings("some-project", "some-instance", emulator=self.address, **settings)
        return connect_instance("prod", own)


def _request(method: str, raw: bytes) -> Any:
    if method == "TestIamPermissions":
        from google.iam.v1.iam_policy_pb2 import TestIamPermissionsRequest

        return TestIamPermissionsRequest.FromString(raw)
    for types in (bigtable_admin_v2, bigtable_v2.types):
        if kind := getattr(types, f"{method}Request", None):
            return kind.deserialize(raw)
    raise AssertionError(f"no request of {method}")


def _bytes(message: Any) -> bytes:
    return message.SerializeToString() if hasattr(message, "SerializeToString") else type(message).serialize(message)


@contextlib.contextmanager
def fake_bigtable() -> Iterator[FakeBigtable]:
    fake = FakeBigtable()
    server = grpc.server(ThreadPoolExecutor(8), handlers=(fake,))
    fake.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    fake.stop = lambda: server.stop(None).wait()
    try:
        yield fake
    finally:
        fake.stop()
