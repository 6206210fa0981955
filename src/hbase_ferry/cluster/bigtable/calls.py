"""One call's time and its errors: every request gets what is left of the deadline, every failure becomes ours once.

Invariant: no exception of google-cloud-bigtable, google-auth or gRPC leaves this folder, and no text of a credential is
in any message: a failed login is told without what the other end said. `AgentError.kind` is the full name of
google-api-core's class, such as `google.api_core.exceptions.NotFound`. What passes by itself (tablets that move, a
quota, a stream that was reset) is Unreachable where the request may be sent again, so that a copy of hours waits and
tries again, and a refusal where it may not. Called by this folder's modules.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from hbase_ferry.cluster.bigtable.library import AUTH, EXCEPTIONS, library
from hbase_ferry.errors import AgentError, DeadlineExceeded, FerryError, Unreachable
from hbase_ferry.model.text import safe_text

T = TypeVar("T")
KIND = "google.api_core.exceptions."
PAUSES = (0.1, 0.4)
"""Seconds before a read that found nobody is tried again: the service closes connections now and then."""
RESET = ("rst_stream", "rst stream", "received unexpected eos on data frame from server")
"""In an INTERNAL of a connection that broke (google.cloud.bigtable.row_data takes these for passing too)."""
TOO_LARGE = "larger than max"
"""In gRPC's own RESOURCE_EXHAUSTED about the size of a message: no quota, and it does not pass."""
_SAYS = {
    "NotFound": "{what} was not found: {text}",
    "AlreadyExists": "{what} exists already: {text}",
    "PermissionDenied": "{user} may not do this to {what}: {text}; grant the role it lacks, or use another account",
    "Unauthenticated": "{login} was not accepted for {what}; log in again or replace the key",
    "MethodNotImplemented": "{what}: not answered here: {text}",
}


class Ask:
    """One call of the wire. `user` and `login` name the account and where its credentials come from, for messages."""

    def __init__(self, side: str, method: str, deadline: float, user: str, login: str) -> None:
        self.side, self.method, self.user, self.login = side, method, user, login
        self._deadline = deadline
        self._end = time.monotonic() + deadline

    def left(self) -> float:
        """Seconds of the deadline that are left. Raises DeadlineExceeded."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise self._late("")
        return seconds

    def send(self, what: str, call: Callable[..., T], /, **params: Any) -> T:
        """One request about `what`."""
        return self._send(what, call, params, repeated=False)

    def read(self, what: str, call: Callable[..., T], /, **params: Any) -> T:
        """The same for a request that may be sent again."""
        return self.again(lambda: self._send(what, call, params, repeated=True))

    def _send(self, what: str, call: Callable[..., T], params: Mapping[str, Any], *, repeated: bool) -> T:
        with self.translating(what, repeated=repeated):
            return call(**params, timeout=self.left(), retry=None)

    def again(self, attempt: Callable[[], T]) -> T:
        """`attempt`, up to three times while nobody answers. Only for what may be sent again."""
        for pause in PAUSES:
            try:
                return attempt()
            except DeadlineExceeded:
                raise
            except Unreachable:
                if self.left() <= pause:
                    raise
                time.sleep(pause)
        return attempt()

    @contextlib.contextmanager
    def translating(self, what: str, *, repeated: bool = False) -> Iterator[None]:
        """Whatever is raised inside leaves as a FerryError that names `what`; `repeated`: it may be sent again."""
        try:
            yield
        except FerryError:
            raise
        except Exception as error:
            raise self._passing(what, error, repeated) or self._translated(what, error) from None

    def refusal(self, what: str, name: str, text: str) -> AgentError:
        """The error of google-api-core's class `name`, as a sentence."""
        says = _SAYS.get(name, "{what}: {text}")
        sentence = says.format(what=what, text=safe_text(text, 500), user=self.user, login=self.login)
        return AgentError(KIND + name, sentence, method=self.method, cluster=self.side)

    def passes(self, what: str, text: str, then: str = "") -> Unreachable:
        """The error of what the service does not do for now; `then`: what that means."""
        told = f"the call about {what} failed for now: {safe_text(text, 300)}{then}"
        return Unreachable(f"{self.side}: {self.method}: {told}")

    def _passing(self, what: str, error: Exception, repeated: bool) -> Unreachable | None:
        exceptions = library(EXCEPTIONS)
        text = str(getattr(error, "message", ""))
        reset = isinstance(error, exceptions.InternalServerError) and any(sign in text.lower() for sign in RESET)
        quota = isinstance(error, exceptions.ResourceExhausted) and TOO_LARGE not in text
        found = reset or quota or isinstance(error, exceptions.Aborted)
        return self.passes(what, text) if repeated and found else None

    def _translated(self, what: str, error: Exception) -> FerryError:
        exceptions = library(EXCEPTIONS)
        if isinstance(error, library(AUTH).exceptions.GoogleAuthError):
            return self._login_failed()
        if isinstance(error, exceptions.DeadlineExceeded):
            return self._late(what)
        if isinstance(error, exceptions.ServiceUnavailable):
            text = str(error.message or "")
            if "metadata from plugin" in text:
                return self._login_failed()
            return Unreachable(f"{self.side}: {self.method}: nobody answers for {what}: {safe_text(text, 300)}")
        if isinstance(error, exceptions.Cancelled):
            return Unreachable(f"{self.side}: {self.method}: the connection was closed during the call about {what}")
        if isinstance(error, exceptions.GoogleAPICallError):
            return self.refusal(what, type(error).__name__, str(error.message or ""))
        if isinstance(error, ValueError) and "closed channel" in str(error):
            return Unreachable(f"{self.side}: {self.method}: the connection was closed")
        told = safe_text(f"{type(error).__name__}: {error}", 300)
        return Unreachable(f"{self.side}: {self.method}: the call about {what} broke off: {told}")

    def _late(self, what: str) -> DeadlineExceeded:
        about = f" about {what}" if what else ""
        return DeadlineExceeded(f"{self.side}: no answer to {self.method}{about} within {self._deadline:g} s")

    def _login_failed(self) -> Unreachable:
        return Unreachable(
            f"{self.side}: logging in with {self.login} failed: check that the account exists, that its key is valid "
            "and that this machine reaches Google's token service"
        )
