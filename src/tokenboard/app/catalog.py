"""The catalog of a board, opened by its settings."""

from collections.abc import Callable
from pathlib import Path

from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.passwords import read_password
from tokenboard.app.record import MARKS, require
from tokenboard.catalog import Catalog, CatalogRefused, ServerOptions
from tokenboard.config import ConfigError, Settings

FOLLOWED_WITHIN_S = 2.0
"""Timeout of the follower's reads of the catalog, in seconds: it retries at once."""

_FOLLOWED_CONNECTIONS = 2


def open_catalog(settings: Settings, data: Path) -> Catalog:
    """Return the catalog of a board, migrated to this program's schema.

    Raises:
        StoreMissing: it is not there, though it should be.

    """
    require("catalog", settings, data)
    catalog = catalog_as_it_is(settings, data)
    try:
        catalog.migrate()
    except BaseException:
        catalog.close()
        raise
    return catalog


def catalog_as_it_is(settings: Settings, data: Path) -> Catalog:
    """Return the catalog of a board, of whatever schema; connects when first used.

    Raises:
        InvalidCatalogUrl: the setting names no database this program can use.

    """
    return Catalog.open(
        settings.catalog_url(data),
        new_app_limit=settings.attribution.new_app_limit,
        title_policy=settings.attribution.title_policy,
        clock=wall_clock_ms,
        timeout_s=settings.catalog.timeout_s,
        server=server_options(settings, data),
        marks=data / MARKS,
    )


def open_followed(settings: Settings, data: Path) -> Catalog:
    """Return the same catalog for the follower and the election: it gives out no ids, and has a shorter timeout."""
    within_s = min(settings.catalog.timeout_s, FOLLOWED_WITHIN_S)
    server = ServerOptions(pool_size=_FOLLOWED_CONNECTIONS, password=_password(settings, data))
    return Catalog.open(settings.catalog_url(data), clock=wall_clock_ms, timeout_s=within_s, server=server)


def server_options(settings: Settings, data: Path) -> ServerOptions:
    """Return how PostgreSQL is reached."""
    given = settings.catalog
    return ServerOptions(
        pool_size=given.pool_size,
        pool_timeout_s=given.pool_timeout_s,
        connect_timeout_s=given.connect_timeout_s,
        statement_timeout_s=given.statement_timeout_s,
        lock_timeout_s=given.lock_timeout_s,
        idle_s=given.idle_in_transaction_s,
        password=_password(settings, data),
    )


def _password(settings: Settings, data: Path) -> Callable[[], str | None]:
    """Return what gives the password; it raises CatalogRefused where it is not found."""
    given = settings.catalog

    def read() -> str | None:
        try:
            return read_password("catalog", data, variable=given.password_env, file=given.password_file)
        except ConfigError as error:
            raise CatalogRefused(str(error), hint=error.hint) from error

    return read
