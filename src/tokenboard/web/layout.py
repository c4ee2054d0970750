"""What surrounds a page's content: title, addresses, twins, feeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode

Query = Sequence[tuple[str, str]]


class PageFormat(StrEnum):
    """The forms in which a view is given; all but HTML are its twins, named by the address's ending."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {
    PageFormat.HTML: "text/html; charset=utf-8",
    PageFormat.JSON: "application/json",
    PageFormat.CSV: "text/csv; charset=utf-8",
    PageFormat.PARQUET: "application/vnd.apache.parquet",
}

_LABELS = {PageFormat.JSON: "JSON", PageFormat.CSV: "CSV", PageFormat.PARQUET: "Parquet"}


@dataclass(frozen=True, slots=True)
class Twin:
    """The same figures in another form."""

    label: str
    href: str
    media_type: str


@dataclass(frozen=True, slots=True)
class FeedLink:
    """An Atom feed that belongs to a page."""

    title: str
    href: str


@dataclass(frozen=True, slots=True)
class Layout:
    """``address`` is the page's own path and query, ``section`` the entry of the navigation it belongs to.

    ``as_of`` is when the figures were computed, None for a page without figures. ``indexed`` False keeps search engines
    from listing it. ``search`` fills the search field.
    """

    title: str
    description: str
    address: str
    section: str = ""
    as_of: datetime | None = None
    twins: tuple[Twin, ...] = ()
    feeds: tuple[FeedLink, ...] = ()
    og_image: str = ""
    indexed: bool = True
    search: str = ""


def address(path: str, query: Query = ()) -> str:
    """Return a path with its query; parameters without a value are left out."""
    given = [(name, value) for name, value in query if value]
    return f"{path}?{urlencode(given)}" if given else path


def twins(
    path: str, query: Query = (), forms: Iterable[PageFormat] = (PageFormat.JSON, PageFormat.CSV, PageFormat.PARQUET)
) -> tuple[Twin, ...]:
    """Return the twins of the page at a path; the start page's are named ``/index``."""
    stem = "/index" if path == "/" else path
    return tuple(
        Twin(_LABELS[form], address(f"{stem}.{form}", query), MEDIA_TYPES[form].partition(";")[0]) for form in forms
    )
