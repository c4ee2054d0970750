"""An app as readers see it."""

from dataclasses import dataclass
from enum import StrEnum

from tokenboard.attribution import AppIdentity, searchable


class Visibility(StrEnum):
    """Who sees an app in rankings: everybody; nobody, as an operator's choice; nobody, as its owner's wish."""

    PUBLIC = "public"
    HIDDEN = "hidden"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class App:
    """One app. Ids are dense positive integers, never reused.

    ``canonical_id`` is the app it is an alias of, as the operator gave it; that one may be an alias in turn, so readers
    follow the pointers to the end. ``name`` is at most 100 characters, or a URL without its scheme (at most 512), and
    ``pinned`` when an operator set it. ``categories`` are at most ten, in the order they came. ``alias_pinned`` when an
    operator said whose alias it is, or that it is none; else ``canonical_id`` is where its host is folded, if it is.
    ``revision`` is the catalog's revision that last changed any of this.
    """

    id: int
    identity: AppIdentity
    url: str
    name: str
    pinned: bool
    visibility: Visibility
    canonical_id: int | None
    categories: tuple[str, ...]
    first_seen_ms: int
    revision: int
    categories_pinned: bool = False
    alias_pinned: bool = False


@dataclass(frozen=True, slots=True)
class TitleVariant:
    """A title under which an app was seen, first and last by the events' own time (UTC epoch ms)."""

    title: str
    first_seen_ms: int
    last_seen_ms: int


@dataclass(frozen=True, slots=True)
class AppPage:
    """A page of a listing, by ascending id; ``total`` counts the whole listing."""

    total: int
    apps: tuple[App, ...]


@dataclass(frozen=True, slots=True)
class CatalogChanges:
    """The apps changed after a revision, by ascending id, and the revision up to which they are complete."""

    revision: int
    apps: tuple[App, ...]


def shown_name(identity: AppIdentity, header_title: str | None, pinned_name: str | None) -> str:
    """Return what an app is called: an operator's name, else the title by headers, else its URL without the scheme."""
    return pinned_name or header_title or identity.display_name


def search_text(identity_key: str, name: str) -> str:
    """Return the text in which a listing's search looks."""
    return searchable(f"{name}\n{identity_key}")


def split_list(text: str) -> tuple[str, ...]:
    """Read a stored comma list; the empty text is the empty list."""
    return tuple(text.split(",")) if text else ()
