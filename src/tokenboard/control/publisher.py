"""The board's side of the snapshot."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

from tokenboard.attribution import AttributionOptions
from tokenboard.auth import KeySource
from tokenboard.control.snapshot import Look, Rule, Snapshot, SnapshotError, look_of, read_snapshot, write_snapshot
from tokenboard.observability import BoundedLog, logger

SNAPSHOT: Final = "snapshot"
"""The name of `Publisher.refresh` among what a follower reads."""

_log = BoundedLog(logger("control"))


class Publisher:
    """Writes a new snapshot whenever a key has changed, or the file is not the one it wrote.

    ``refresh`` is called repeatedly by the thread that follows ``source``, and blocks. ``run`` names this run of the
    board. ``published`` is called with each new revision, so that gateways can read it at once.
    """

    def __init__(
        self,
        path: Path,
        source: KeySource,
        options: AttributionOptions,
        *,
        run: str,
        clock_ms: Callable[[], int],
        published: Callable[[int], object],
    ) -> None:
        self._path = path
        self._source = source
        self._browser_referer = options.browser_referer
        self._rules = tuple(
            Rule(rule.url, rule.key_label, rule.user_agent_prefix, rule.title) for rule in options.rules
        )
        self._run = run
        self._clock_ms = clock_ms
        self._published = published
        self._lock = Lock()
        self._keys_revision: int | None = None
        self._written: Look | None = None
        self._revision = self._last_revision()
        self.current: Snapshot | None = None
        """The last snapshot that was published, before any is told of it; None before the first."""

    def refresh(self) -> None:
        """Publish what has changed since the last time; cheap when nothing has.

        Raises:
            CatalogUnavailable, SnapshotError: gateways keep using the last one; call again.

        """
        with self._lock:
            keys_revision = self._source.keys_revision()
            # A gateway that starts goes by the file alone: what has become of it is not left so.
            if keys_revision == self._keys_revision and self._written == _look_of(self._path):
                return
            self._revision = max(self._revision + 1, self._clock_ms() * 1000)
            keys = tuple(self._source.keys())
            snapshot = Snapshot(self._run, self._revision, keys, self._browser_referer, self._rules)
            write_snapshot(self._path, snapshot)
            self._written = _look_of(self._path)
            self._keys_revision = keys_revision
            self.current = snapshot
            self._published(self._revision)

    def _last_revision(self) -> int:
        try:
            return read_snapshot(self._path).revision if self._path.exists() else 0
        except SnapshotError as error:
            _log.warning("unreadable", "the last snapshot cannot be read and is written anew", {"reason": str(error)})
            return 0


def _look_of(path: Path) -> Look | None:
    """Return by what the file is told from another; None when there is none that can be looked at."""
    try:
        return look_of(path)
    except OSError:
        return None
