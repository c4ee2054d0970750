"""The catalog of a board, opened by its settings."""

from pathlib import Path

from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.record import MARKS, require
from tokenboard.catalog import Catalog
from tokenboard.config import Settings

FOLLOWED_WITHIN_S = 2.0
"""Timeout of the follower's reads of the catalog, in seconds: it retries at once."""


def open_catalog(settings: Settings, data: Path) -> Catalog:
    """Return the catalog of a board, migrated to this program's schema.

    Raises:
        StoreMissing: it is not there, though it should be.

    """
    require("catalog", settings, data)
    catalog = Catalog.open(
        settings.catalog_url(data),
        new_app_limit=settings.attribution.new_app_limit,
        title_policy=settings.attribution.title_policy,
        clock=wall_clock_ms,
        timeout_s=settings.catalog.timeout_s,
        marks=data / MARKS,
    )
    try:
        catalog.migrate()
    except BaseException:
        catalog.close()
        raise
    return catalog


def open_followed(settings: Settings, data: Path) -> Catalog:
    """Return the same catalog for the follower: read-only, and with a shorter timeout."""
    within_s = min(settings.catalog.timeout_s, FOLLOWED_WITHIN_S)
    return Catalog.open(settings.catalog_url(data), clock=wall_clock_ms, timeout_s=within_s)
