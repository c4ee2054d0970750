"""What the rankings read, and from whom: the ledger owns the figures, the catalog owns the apps.

Rankings only read. Every method may fail with its owner's errors when that store is unavailable; rankings pass them on
and keep what they have. The real ones are ``tokenboard.ledger.Ledger`` and ``tokenboard.catalog.Catalog``.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class DayRows(Protocol):
    """Figures per app and day as columns of one length; a day and app may come in several rows, which add up.

    Figures are counts ≥ 0: int64, or Python ints in an object array when one would not fit.
    """

    @property
    def day(self) -> NDArray[np.int32]:
        """UTC days since 1970-01-01."""

    @property
    def app_id(self) -> NDArray[np.int64]:
        """The app the usage was attributed to, before aliases; 0 is unattributed."""

    @property
    def requests(self) -> NDArray[Any]:
        """Requests that did not fail."""

    @property
    def tokens(self) -> NDArray[Any]:
        """Prompt + completion tokens."""

    @property
    def prompt(self) -> NDArray[Any]:
        """Prompt tokens: never more than ``tokens``."""

    @property
    def cached(self) -> NDArray[Any]:
        """Cached tokens, a part of the prompt's."""

    @property
    def reasoning(self) -> NDArray[Any]:
        """Reasoning tokens, a part of the completion's."""


class LedgerReader(Protocol):
    """The figures, whole days at a time."""

    def day_changes(self) -> Mapping[date, int]:
        """Per UTC day that has figures a counter, which grows whenever figures of that day changed."""

    def read_days(self, days: Collection[date] | None) -> DayRows:
        """The figures of these days, all of each; None reads every day."""


class AppRow(Protocol):
    """One app as the catalog has it: what is given, before aliases are resolved."""

    @property
    def id(self) -> int:
        """Dense and positive."""

    @property
    def url(self) -> str:
        """The canonical URL."""

    @property
    def name(self) -> str:
        """The display name."""

    @property
    def visibility(self) -> str:
        """``public``, ``hidden`` or ``private``."""

    @property
    def canonical_id(self) -> int | None:
        """The app this one was merged into, which may itself be an alias."""

    @property
    def categories(self) -> tuple[str, ...]:
        """The app's own categories, in the order they were taken."""

    @property
    def first_seen_ms(self) -> int:
        """Unix milliseconds of its first usage."""


class AppChanges(Protocol):
    """The apps that changed, and the revision up to which these are all changes."""

    @property
    def revision(self) -> int:
        """The catalog's revision that these rows bring a reader to."""

    @property
    def apps(self) -> tuple[AppRow, ...]:
        """The rows as they are at that revision."""


class CatalogReader(Protocol):
    """The apps, by what changed since a revision."""

    def revision(self) -> int:
        """A number that grows with every change; cheap to ask for."""

    def changes(self, since: int) -> AppChanges:
        """Every app that changed after revision ``since``; 0 asks for all apps."""
