"""Short ways to say what was seen."""

from tokenboard.attribution import AppIdentity
from tokenboard.catalog import Catalog, Sighting

NOON = 1_700_000_000_000


def seen(
    url: str = "https://cline.bot",
    title: str | None = None,
    *categories: str,
    at: int = 0,
    received: int = 0,
    key: int = 1,
) -> Sighting:
    """One sighting; times are ms after NOON."""
    return Sighting(AppIdentity.of(url, title), title, categories, NOON + at, NOON + received, key)


def make(catalog: Catalog, *urls: str) -> list[int]:
    """Let apps be seen; return their ids."""
    return [answer.app_id for answer in catalog.sight([seen(url) for url in urls])]
