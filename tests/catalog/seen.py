"""Short ways to say what was seen."""

from tokenboard.attribution import AppIdentity
from tokenboard.catalog import Catalog, Observation

NOON = 1_700_000_000_000


def seen(
    url: str = "https://cline.bot",
    title: str | None = None,
    *categories: str,
    at: int = 0,
    received: int = 0,
    key: int = 1,
) -> Observation:
    """One observation; times are ms after NOON."""
    return Observation(AppIdentity.of(url, title), title, categories, NOON + at, NOON + received, key)


def make(catalog: Catalog, *urls: str) -> list[int]:
    """Let apps be seen; return their ids."""
    return [answer.app_id for answer in catalog.observe([seen(url) for url in urls])]
