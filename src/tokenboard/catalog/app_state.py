"""What the observations make of an app: a working copy of its row and title variants. Pure arithmetic."""

from dataclasses import dataclass, field
from enum import StrEnum

from tokenboard.attribution import AppIdentity, Reason, merge_categories
from tokenboard.catalog.app import shown_name

VARIANTS_LIMIT = 50
"""Most title variants kept of one app; the least recently seen goes."""


class TitlePolicy(StrEnum):
    """Which title names an app: the one of the latest event, or the first that came."""

    LATEST = "latest"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Observation:
    """An app seen in one event, at ``ts_ms`` by the event's time, accepted at ``received_ms`` (UTC epoch ms)."""

    identity: AppIdentity
    title: str | None
    categories: tuple[str, ...]
    ts_ms: int
    received_ms: int
    key_id: int


@dataclass(frozen=True, slots=True)
class Observed:
    """The app's id; 0 when the catalog refused to make the app, and then why."""

    app_id: int
    reason: Reason | None


@dataclass(slots=True, eq=False)
class Variant:
    """One title of an app; ``stored`` once the database has it."""

    first_seen_ms: int
    last_seen_ms: int
    stored: bool = False


@dataclass(slots=True, eq=False)
class AppState:
    """One app. Observations change it; ``moved`` and ``gone`` name the variants that the database has yet to learn of.

    ``header_at`` is the time of the latest event that bore ``header_title``. ``made_by`` is the key and the UTC day
    (days since 1970) that made an app which the database has not, ``folded_into`` the app that its host was folded into
    then; ``weighed`` is for the keeper of the memory.
    """

    app_id: int
    identity: AppIdentity
    first_seen_ms: int
    header_title: str | None = None
    header_categories: tuple[str, ...] = ()
    pinned_name: str | None = None
    pinned_categories: tuple[str, ...] | None = None
    variants: dict[str, Variant] = field(default_factory=dict)
    header_at: int = 0
    made_by: tuple[int, int] | None = None
    folded_into: int | None = None
    moved: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    weighed: int = 0
    observed: Observed = field(init=False)
    stored: tuple[object, ...] = field(init=False)
    published: tuple[object, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Take the values given as what the database has, but for ``made_by``."""
        self.observed = Observed(self.app_id, None)
        self.stored = self.row
        self.published = self.visible

    @property
    def name(self) -> str:
        """What the app is called."""
        return shown_name(self.identity, self.header_title, self.pinned_name)

    @property
    def row(self) -> tuple[object, ...]:
        """What observations can change of the app's row."""
        return self.first_seen_ms, self.header_title, self.header_categories

    @property
    def visible(self) -> tuple[object, ...]:
        """What observations can change of what readers see."""
        categories = self.header_categories if self.pinned_categories is None else self.pinned_categories
        return self.first_seen_ms, self.name, categories

    @property
    def changed(self) -> bool:
        """Whether the database has to learn anything."""
        return self.made_by is not None or bool(self.moved or self.gone) or self.row != self.stored

    def settle(self) -> None:
        """Note that the database has everything."""
        self.made_by = None
        self.stored = self.row
        self.published = self.visible
        for title in self.moved:
            self.variants[title].stored = True
        self.moved.clear()
        self.gone.clear()

    def observe(self, title: str | None, categories: tuple[str, ...], ts_ms: int, policy: TitlePolicy) -> None:
        """Take in one event."""
        self.first_seen_ms = min(ts_ms, self.first_seen_ms)
        if categories:
            self.header_categories = merge_categories(self.header_categories, categories)
        if title is not None:
            self._observe_title(title, ts_ms)
            if title == self.header_title:
                self.header_at = max(ts_ms, self.header_at)
            elif self.header_title is None or (policy is TitlePolicy.LATEST and ts_ms >= self.header_at):
                self.header_title = title
                self.header_at = ts_ms
            if len(self.variants) > VARIANTS_LIMIT:
                self._forget_one()

    def _observe_title(self, title: str, ts_ms: int) -> None:
        variant = self.variants.get(title)
        if variant is None:
            # A title that was to be forgotten in this very batch and comes again is still in the database.
            stored = title in self.gone
            self.gone.discard(title)
            self.variants[title] = Variant(ts_ms, ts_ms, stored)
        elif ts_ms > variant.last_seen_ms:
            variant.last_seen_ms = ts_ms
        elif ts_ms < variant.first_seen_ms:
            variant.first_seen_ms = ts_ms
        else:
            return
        self.moved.add(title)

    def _forget_one(self) -> None:
        """Drop the least recently seen variant, but never the title that names the app."""
        title = min(
            (title for title in self.variants if title != self.header_title),
            key=lambda title: (self.variants[title].last_seen_ms, title),
        )
        if self.variants.pop(title).stored:
            self.gone.add(title)
        self.moved.discard(title)
