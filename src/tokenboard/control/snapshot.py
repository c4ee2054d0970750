"""The snapshot: all that a gateway needs of the catalog, as one file that is replaced atomically."""

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.keys import Key

FORMAT: Final = 1
"""The format version that this program writes, and the only one it reads."""


Look = tuple[int, int, int]


class SnapshotError(Exception):
    """The snapshot cannot be read, or cannot be written."""

    hint = "A running board writes it anew; see its log when it does not."


class Rule(msgspec.Struct, frozen=True):
    """One of the operator's rules for clients that cannot set headers."""

    url: str
    key_label: str | None = None
    user_agent_prefix: str | None = None
    title: str | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """What a board published: the run of the board, the revision, and the content.

    ``revision`` grows with each publication, over all runs. ``keys`` includes revoked ones, whose callers are told so.
    """

    run: str
    revision: int
    keys: tuple[Key, ...]
    browser_referer: bool
    rules: tuple[Rule, ...]
    format: int = FORMAT

    def options(self) -> AttributionOptions:
        """Return how requests are attributed."""
        rules = tuple(
            AttributionRule(rule.url, rule.key_label, rule.user_agent_prefix, rule.title) for rule in self.rules
        )
        return AttributionOptions(browser_referer=self.browser_referer, rules=rules)


_encoder = msgspec.msgpack.Encoder()
# A set has no order of its own: what is the same is told so by each process.
_ordered = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Snapshot)


class SnapshotFile:
    """The snapshot file of a data folder, as a gateway reads it; a source of keys for `tokenboard.auth.Auth`.

    ``refresh`` and ``read`` block, and are for one thread only; the result may be read from any.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: Look | None = None
        self._snapshot: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The last one that could be read; None before the first."""
        return self._snapshot

    def keys_revision(self) -> int:
        """Return the revision of the last one that could be read; -1 before the first."""
        return -1 if self._snapshot is None else self._snapshot.revision

    def keys(self) -> tuple[Key, ...]:
        """Return the keys it holds."""
        return () if self._snapshot is None else self._snapshot.keys

    def refresh(self) -> bool:
        """Read the file if it has been replaced since the last time; return whether it was.

        Raises:
            SnapshotError: it cannot be read, or has another format version; the last one stays in force.

        """
        try:
            seen = look_of(self._path)
        except OSError as error:
            raise SnapshotError(f"cannot read {self._path}: {error.strerror}") from error
        if seen is None or seen == self._seen:
            return False
        snapshot = read_snapshot(self._path)
        # Noted after the read: a file that replaced it meanwhile is found the next time.
        self._seen = seen
        self._snapshot = snapshot
        return True


def look_of(path: Path) -> Look | None:
    """Return by what one file is told from another that took its place, None when there is none. Raises OSError."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot's bytes."""
    return _encoder.encode(snapshot)


def decode_snapshot(data: bytes) -> Snapshot:
    """Return the snapshot in these bytes.

    Raises:
        SnapshotError: there is none that this program can read.

    """
    try:
        snapshot = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise SnapshotError(f"no snapshot can be read: {str(error)[:200]}") from error
    if snapshot.format != FORMAT:
        raise SnapshotError(f"the snapshot has the form {snapshot.format}; this program reads the form {FORMAT}")
    return snapshot


def tag_of(snapshot: Snapshot) -> str:
    """Return what names a snapshot by what it says, whichever board says it, and in which of its runs."""
    content = (snapshot.format, snapshot.keys, snapshot.browser_referer, snapshot.rules)
    return blake2b(_ordered.encode(content), digest_size=16).hexdigest()


def read_snapshot(path: Path) -> Snapshot:
    """Return the snapshot in a file.

    Raises:
        SnapshotError: there is none, or none that this program can read.

    """
    try:
        snapshot = _decoder.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise SnapshotError(f"cannot read {path}: {str(error)[:200]}") from error
    if snapshot.format != FORMAT:
        raise SnapshotError(f"{path} has the form {snapshot.format}; this program reads the form {FORMAT}")
    return snapshot


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace the snapshot atomically; a reader finds either the old or the new one, complete.

    Raises:
        SnapshotError: it cannot be written; the last one is unchanged.

    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            temporary.unlink()
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(_encoder.encode(snapshot))
            stream.flush()
            # Synced: a gateway starts from it without the board, also after a power cut.
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise SnapshotError(f"cannot write {path}: {error.strerror}") from error
