"""What can go wrong with the catalog, as one small tree; every error carries a hint for the operator."""

from collections.abc import Sequence
from typing import ClassVar


class CatalogError(Exception):
    """Anything the catalog refuses or fails to do. ``hint`` says how the operator can go on."""

    default_hint: ClassVar[str] = "Run `tokenboard doctor` to check the settings and the stores."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = self.default_hint if hint is None else hint


class InvalidCatalogUrl(CatalogError):
    """The setting ``[catalog] url`` names no database this program can use."""

    default_hint = "Use sqlite:///path/to/catalog.db or postgresql+psycopg://user@host/database."


class CatalogUnavailable(CatalogError):
    """The database cannot serve right now: locked, disk full, connection lost. Trying again later may succeed.

    ``within_s`` is how many seconds were waited in vain, None when it failed at once. ``passing`` when the database
    gave the call up for a reason that is gone already, such as a collision with another, or a connection that was cut,
    and nothing of it is stored: doing it again at once may succeed.
    """

    store: ClassVar[str] = "catalog"
    default_hint = "Check that the database runs, is reachable and has disk space; the work is retried."

    def __init__(
        self, message: str, *, hint: str | None = None, within_s: float | None = None, passing: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.within_s = within_s
        self.passing = passing


class CatalogRefused(CatalogUnavailable):
    """The database answers, and does not let this program do its work, until an operator changes that."""

    default_hint = "Run `tokenboard doctor`, which names the rights that are missing."


class UnfitServer(CatalogUnavailable):
    """The database server is too old, or set up so that it cannot hold a catalog."""

    default_hint = "docs/postgresql.md says what the server has to be."


class CatalogFault(CatalogError):
    """The database refused a statement for good, or its file is damaged. Trying again will not help."""

    default_hint = "Check the catalog's database for damage, and restore it from a backup if needed."


class SchemaOutdated(CatalogError):
    """The database has not the tables this program needs."""

    default_hint = "Run `tokenboard migrate`."


class SchemaUnknown(CatalogError):
    """The database was migrated by a newer program; this one does not know its schema."""

    default_hint = "Run the newer tokenboard, or restore the backup made before it was started."


class UnknownApp(CatalogError):
    """No app has this id or URL. ``tried`` is the canonical form looked up; None when the value gives none."""

    default_hint = "List the apps with `tokenboard apps list`; an app exists once it has been seen in usage."

    def __init__(self, message: str, *, tried: str | None = None) -> None:
        super().__init__(message)
        self.tried = tried


class AmbiguousApp(CatalogError):
    """Several apps share this loopback URL; ``ids`` are theirs, ascending."""

    default_hint = "Name the app by its id."

    def __init__(self, message: str, *, ids: Sequence[int]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class MergeRefused(CatalogError):
    """The merge would make an app its own alias, or the app to be unmerged is no alias."""

    default_hint = "See what points where with `tokenboard apps show`."


class FoldRefused(CatalogError):
    """The fold would make an app its own alias, or the host to be unfolded is not folded."""

    default_hint = (
        "See the folded hosts with `tokenboard apps folds`, and what points where with `tokenboard apps show`."
    )


class UndoRefused(CatalogError):
    """The change cannot be undone, or not yet: something later depends on it."""

    default_hint = "See the log with `tokenboard apps log`, and undo later changes first."


class UnknownEntry(CatalogError):
    """The audit log has no entry of this number."""

    default_hint = "List the entries with `tokenboard apps log`."


class UnknownKey(CatalogError):
    """No API key has this id."""

    default_hint = "List the keys with `tokenboard keys list`."


class KeyRevoked(CatalogError):
    """The API key is revoked; revoking is final."""

    default_hint = "Create a new key with `tokenboard keys create`."


class InvalidValue(CatalogError):
    """A name, label, scope, category or page an operator gave is not acceptable; the message says why."""

    default_hint = "Correct the value and try again."


class LimitReached(CatalogError):
    """A named limit of the catalog is reached."""

    default_hint = "Revoke keys that are no longer used."


def late(timeout_s: float, why: str) -> CatalogUnavailable:
    """Return the error of a call that waited ``timeout_s`` seconds in vain."""
    return CatalogUnavailable(f"the catalog did not answer within {timeout_s:g} s: {why}", within_s=timeout_s)
