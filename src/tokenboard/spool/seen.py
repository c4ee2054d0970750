"""The memory of ids from outside: which of them were sent lately.

Its time is the spool's own: it runs while a process has the spool open, by a clock that nobody can set, and stands
still between two runs. So neither a jump of the wall clock nor a restart makes it forget an id too early; an id is
remembered for the days set at least, counted from its latest sending, and longer by the time the server was down. What
it holds is bounded by what can be sent within that time.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence

DAY_MS = 86_400_000

_SWEEP = 20_000
_SWEEP_EVERY_MS = 60_000
_LOOKUP = 500  # values in one statement, within every SQLite's limit of parameters
_LIVED = "lived_ms"


class Seen:
    """The ids seen within ``seen_days`` of the spool's life.

    ``clock_ms`` tells wall-clock epoch ms, from which a new spool's time begins and against which an older program's
    times are read; ``elapsed_s`` tells the seconds that have passed, monotonic. Every method but `lived_ms` works
    inside a transaction of its caller.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        seen_days: int,
        clock_ms: Callable[[], int],
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory_ms = seen_days * DAY_MS
        self._elapsed_s = elapsed_s
        self._began_s = elapsed_s()
        self._before_ms = _last_ms(connection, clock_ms())
        self._swept_ms: int | None = None

    def lived_ms(self) -> int:
        """Return the spool's own time, in ms."""
        # Rounded: cut off, a time could be a millisecond early, and an id be forgotten as much too soon.
        return self._before_ms + round((self._elapsed_s() - self._began_s) * 1000)

    def save(self, connection: sqlite3.Connection) -> None:
        """Write down the time; without it the next run begins at that of the last id."""
        connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (_LIVED, str(self.lived_ms())))

    def remember(self, connection: sqlite3.Connection, digests: Sequence[bytes]) -> list[int]:
        """Remember the ids from now on, and return the positions of those not seen lately, each id's first only."""
        now = self.lived_ms()
        first = {digest: position for position, digest in reversed(list(enumerate(digests)))}
        # In the order of the table: neighbours share pages.
        ordered = sorted(first)
        fresh: list[int] = []
        for start in range(0, len(ordered), _LOOKUP):
            some = ordered[start : start + _LOOKUP]
            # Looked up and written in one: what was seen lately is left as it is, and not returned.
            rows = ",".join(["(?)"] * len(some))
            upsert = (
                f"INSERT INTO seen (digest, at_ms) SELECT column1, ? FROM (VALUES {rows}) WHERE true "  # noqa: S608 - marks
                "ON CONFLICT (digest) DO UPDATE SET at_ms = excluded.at_ms WHERE seen.at_ms < ? RETURNING digest"
            )
            new = {digest for (digest,) in connection.execute(upsert, (now, *some, now - self._memory_ms))}
            fresh += [first[digest] for digest in new]
            # What is sent again is remembered from now on.
            connection.executemany(
                "UPDATE seen SET at_ms = ? WHERE digest = ?", [(now, digest) for digest in some if digest not in new]
            )
        return sorted(fresh)

    def sweep(self, connection: sqlite3.Connection) -> None:
        """Forget some of what was not seen for the days set; cheap when asked again within a minute."""
        now = self.lived_ms()
        if self._swept_ms is not None and now - self._swept_ms < _SWEEP_EVERY_MS:
            return
        removed = connection.execute(
            "DELETE FROM seen WHERE digest IN (SELECT digest FROM seen WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
            (now - self._memory_ms, _SWEEP),
        ).rowcount
        if removed < _SWEEP:
            self._swept_ms = now


def _last_ms(connection: sqlite3.Connection, wall_ms: int) -> int:
    """Return the time at which the spool's life goes on.

    An older program wrote the wall clock's times: of these the latest that is not ahead of the clock, so that an id
    of a time when a clock was ahead outdates no other.
    """
    saved = connection.execute("SELECT value FROM meta WHERE name = ?", (_LIVED,)).fetchone()
    if saved is None:
        (latest,) = connection.execute("SELECT max(at_ms) FROM seen WHERE at_ms <= ?", (wall_ms,)).fetchone()
        (earliest,) = connection.execute("SELECT min(at_ms) FROM seen").fetchone()
        return int(next((at for at in (latest, earliest) if at is not None), wall_ms))
    (latest,) = connection.execute("SELECT max(at_ms) FROM seen").fetchone()
    return max(int(saved[0]), int(latest or 0))
