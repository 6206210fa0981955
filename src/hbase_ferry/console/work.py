"""The two roads between other threads and the screen: newest view in, actions out.

Invariant: the event loop never waits for a cluster, and a cluster never waits for the screen. Views wait in one slot
in which only the newest stands; an action runs in a daemon thread of its own, of which there is at most one.
Called by `app`; nothing here knows Textual beyond `Message`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from textual.message import Message

from hbase_ferry.errors import FerryError
from hbase_ferry.model.event import Event
from hbase_ferry.model.view import View


class Arrived(Message):
    """A first view, or one that was asked for, waits in the mailbox."""


class Happened(Message):
    """The service reported an event."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class Ended(Message):
    """An action came to its end. `problem` empty: it did what it should."""

    def __init__(self, title: str, problem: str) -> None:
        super().__init__()
        self.title = title
        self.problem = problem


class Mailbox:
    """One slot for the newest view. `put` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._view: View | None = None
        self._wake: Callable[[], object] | None = None

    def put(self, view: View) -> None:
        with self._lock:
            self._view = view
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def newest(self) -> View | None:
        with self._lock:
            return self._view

    def wake_once(self, wake: Callable[[], object]) -> None:
        """Calls `wake` from the putting thread when the next view arrives, once."""
        with self._lock:
            self._wake = wake


class Runner:
    """Runs one action at a time and posts how it ended."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.running = ""
        "title of the running action; empty: none runs"

    def start(self, title: str, act: Callable[[threading.Event], Iterable[Event]]) -> bool:
        """Begins `act(stop)` and reads it to its end. False: another action runs, nothing was begun."""
        if self.running:
            return False
        self.running, self._stop = title, threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(title, act, self._stop), name=f"action {title}", daemon=True
        )
        self._thread.start()
        return True

    def stop(self) -> None:
        """Asks the running action to end after what it is just doing."""
        self._stop.set()

    def ended(self, title: str) -> None:
        """The app has taken note of an end; if it was this runner's, it is free again."""
        if title == self.running:
            self.running = ""

    def _work(self, title: str, act: Callable[[threading.Event], Iterable[Event]], stop: threading.Event) -> None:
        problem = ""
        try:
            for _ in act(stop):
                pass
        except FerryError as error:
            problem = str(error)
        except Exception as error:
            problem = f"a fault in hbase-ferry: {type(error).__name__}: {error}"
        self._post(Ended(title, problem))


def aside(call: Callable[[], object], name: str) -> None:
    """Runs `call` in a daemon thread and forgets it."""
    threading.Thread(target=call, name=name, daemon=True).start()
