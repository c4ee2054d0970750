"""The catalog of a board, opened by its settings; and the clock that all of a board goes by."""

import time
from pathlib import Path

from tokenboard.catalog import Catalog
from tokenboard.config import Settings


def wall_clock_ms() -> int:
    """Return UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


def open_catalog(settings: Settings, data: Path) -> Catalog:
    """Return the catalog of a board, migrated to this program's schema."""
    catalog = Catalog.open(
        settings.catalog_url(data),
        new_app_limit=settings.attribution.new_app_limit,
        title_policy=settings.attribution.title_policy,
        clock=wall_clock_ms,
    )
    catalog.migrate()
    return catalog
