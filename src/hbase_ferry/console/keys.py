"""The keys: one table feeds bindings, footer, `?` help and the command palette.

Invariant: what is dangerous is marked here and nowhere else; without `--act` such a key is not bound, not shown and
not in the palette. Called by `app`, `panes`, `help` and `commands`.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class Key:
    """One command. `keys` in Textual's names; `footer` empty: not in the footer."""

    keys: str
    shown: str
    action: str
    footer: str
    help: str
    dangerous: bool = False


KEYS: tuple[Key, ...] = (
    Key("question_mark", "?", "help", "help", "this page; ? or Esc closes it"),
    Key("slash", "/", "filter", "filter", "show only rows that hold a text: tables, peers, snapshots, steps, events"),
    Key("colon", ":", "command_palette", "commands", "find any of these commands by name"),
    Key("1", "1", "pane(1)", "", "source: peers, snapshots, tables (the same number again: this pane alone)"),
    Key("2", "2", "pane(2)", "", "target: peers, snapshots, tables"),
    Key("3", "3", "pane(3)", "", "charts: replication lag, WAL backlog, free disk"),
    Key("4", "4", "pane(4)", "", "steps of the plan"),
    Key("5", "5", "pane(5)", "", "the chosen step: why, commands, gates, undo"),
    Key("6", "6", "pane(6)", "", "events"),
    Key("n", "n", "now", "", "choose the step that is next, and follow it"),
    Key("enter", "enter", "do", "do", "do the chosen step; asks first, as its risk demands", dangerous=True),
    Key("p", "p", "preview", "preview", "everything the chosen step would send, touching nothing"),
    Key("u", "u", "undo", "undo", "take the chosen step back; asks first", dangerous=True),
    Key("w", "w", "waive", "", "waive a closed gate of the chosen step, with a typed reason", dangerous=True),
    Key("s", "s", "stop", "", "stop the running step after its present action; jobs in the cluster go on",
        dangerous=True),
    Key("R", "R", "red", "red button", "red button: remove a peer now, losing what it holds back", dangerous=True),
    Key("e", "e", "events", "", "all events, newest last"),
    Key("r,ctrl+r", "r", "look", "", "look at both clusters now"),
    Key("escape", "esc", "close", "", "close what is open, clear the filter, show all panes again"),
    Key("q,ctrl+q", "q", "leave", "quit", "quit; a job that runs in a cluster goes on"),
)  # fmt: skip


def bindings() -> list[Binding]:
    """The table as Textual wants it."""
    return [Binding(key.keys, key.action, key.help, show=False) for key in KEYS]


DANGEROUS = frozenset(key.action for key in KEYS if key.dangerous)


def available(acting: bool) -> tuple[Key, ...]:
    """The keys that are bound: all, or the harmless ones."""
    return tuple(key for key in KEYS if acting or not key.dangerous)
