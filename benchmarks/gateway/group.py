"""A program's processes, told apart by their roles: where they run, what they use."""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_ROLES = frozenset({b"gateway", b"board", b"serve"})
"""Commands of tokenboard: a process says in its command line what it is. ``serve`` is all of it, or starts the rest."""
OTHER = "proxy"
"""The role of every process that says none of them."""
_PASSES = 5


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a group have used so far: CPU seconds by process id, with the role of each."""

    cpu: Mapping[int, float]
    roles: Mapping[int, str]

    def since(self, before: "Usage") -> dict[str, float]:
        """Return the CPU seconds by role since then; what a process used that has ended meanwhile is not known."""
        spent: dict[str, float] = {}
        for pid, seconds in self.cpu.items():
            role = self.roles[pid]
            spent[role] = spent.get(role, 0.0) + seconds - before.cpu.get(pid, 0.0)
        return spent


class Group:
    """Some processes with all that they have started, whenever that was."""

    def __init__(self, *roots: int) -> None:
        self._roots = roots

    def roles(self) -> dict[int, str]:
        """Return the roles of all processes by their ids, in the order of these."""
        found = list(self._roots)
        for parent in found:
            found += _children(parent)
        return {pid: role for pid in sorted(set(found)) if (role := _role(pid)) is not None}

    def counted(self) -> Counter[str]:
        """Return how many processes there are of each role."""
        return Counter(self.roles().values())

    def usage(self) -> Usage:
        """Return the user and system time of all threads so far, of those that have ended too.

        By the processes' CPU clocks, which count nanoseconds; the ticks of /proc are too coarse for a few hundred
        chunks of a stream.
        """
        roles = self.roles()
        return Usage({pid: _cpu_seconds(pid) for pid in roles}, roles)

    def resident(self) -> dict[str, int]:
        """Return the resident memory in bytes, by role."""
        sizes: dict[str, int] = {}
        for pid, role in self.roles().items():
            sizes[role] = sizes.get(role, 0) + _resident_pages(pid) * _PAGE
        return sizes

    def pin(self, places: Callable[[str], Sequence[frozenset[int]]]) -> None:
        """Move processes, with all their threads, to cores by their roles.

        The processes of a role take its ``places`` in turn; what they start later inherits theirs. Threads that come
        up meanwhile are seen to by looking again until none is out of place.
        """
        for _ in range(_PASSES):
            turns: Counter[str] = Counter()
            moved = 0
            for pid, role in self.roles().items():
                offered = places(role)
                moved += _move(_threads(pid), offered[turns[role] % len(offered)])
                turns[role] += 1
            if not moved:
                return
        raise RuntimeError("processes change faster than they can be moved to a core")


def _role(pid: int) -> str | None:
    """Return what a process's command line says of it; None when it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((word.decode() for word in words if word in _ROLES), OTHER)


def _children(pid: int) -> Iterable[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            yield from map(int, task.read_text().split())


def _threads(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    return []


def _move(threads: Iterable[int], cores: frozenset[int]) -> int:
    """Move threads to these cores; return how many were elsewhere."""
    moved = 0
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):
            if os.sched_getaffinity(thread) != cores:
                os.sched_setaffinity(thread, cores)
                moved += 1
    return moved


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads a process has had; 0 when it has ended."""
    try:
        # What clock_getcpuclockid(3) gives for another process.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _resident_pages(pid: int) -> int:
    """Return the second field of /proc/PID/statm (proc(5)); 0 when the process has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
