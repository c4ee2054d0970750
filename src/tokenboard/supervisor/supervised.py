"""The child's side: what it inherits from its supervisor, and what it reports."""

import asyncio
import contextlib
import json
import os
import select
import socket
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

VARIABLE: Final = "_TOKENBOARD_SUPERVISED"
"""The variable that describes a child's inherited descriptors. The underscore keeps it apart from settings."""

READY: Final = "ready"
"""The member of a status line that is true once the process is ready."""


class Lifeline:
    """The reading end of a pipe that nobody writes to: it reaches EOF when the supervisor ends, however that ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def cut(self) -> bool:
        """Whether the supervisor has ended."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def watch(self, loop: asyncio.AbstractEventLoop, ended: Callable[[], object]) -> None:
        """Call ``ended`` once in the loop when the supervisor has ended, or has already."""

        def on_end() -> None:
            loop.remove_reader(self._descriptor)
            ended()

        loop.add_reader(self._descriptor, on_end)


class Status:
    """Reports facts to the supervisor, one JSON object per line. Never waits: what does not fit the pipe is dropped."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    def say(self, facts: Mapping[str, Any]) -> bool:
        """Report facts; return False when nobody reads, or the pipe is full. Safe from any thread.

        Raises:
            ValueError: they take more than ``PIPE_BUF`` bytes (4,096 on Linux), which might not be written atomically.

        """
        line = json.dumps(facts).encode() + b"\n"
        if len(line) > select.PIPE_BUF:
            raise ValueError(f"a status of {len(line)} bytes is longer than {select.PIPE_BUF}")
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            return os.write(self._descriptor, line) == len(line)
        return False

    def ready(self, **facts: Any) -> bool:
        """Report that the process is ready."""
        return self.say({READY: True} | facts)


@dataclass(frozen=True)
class Supervised:
    """What a child inherits: its name, lifeline and status, and its listening sockets by name."""

    name: str
    lifeline: Lifeline
    status: Status
    listeners: Mapping[str, socket.socket]

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> "Supervised | None":
        """Take over what the environment describes; None in a process that no supervisor started.

        Call once: the variable is removed, and the descriptors are no longer inherited by processes that this one
        starts.
        """
        described = environment.pop(VARIABLE, None)
        if described is None:
            return None
        given = json.loads(described)
        for descriptor in (given["lifeline"], given["status"], *given["listeners"].values()):
            os.set_inheritable(descriptor, False)
        return cls(
            name=given["name"],
            lifeline=Lifeline(given["lifeline"]),
            status=Status(given["status"]),
            listeners={name: socket.socket(fileno=descriptor) for name, descriptor in given["listeners"].items()},
        )


def describe(name: str, *, lifeline: int, status: int, listeners: Mapping[str, int]) -> dict[str, str]:
    """Return the environment by which a child finds its descriptors."""
    given = {"name": name, "lifeline": lifeline, "status": status, "listeners": dict(listeners)}
    return {VARIABLE: json.dumps(given)}
