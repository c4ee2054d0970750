"""Bringing a database to this program's schema. The steps are the package's own, in migrations/versions/."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from tokenboard.catalog.engine import Database
from tokenboard.catalog.errors import SchemaUnknown

# Alembic keeps the running migration in module globals, so one process runs one at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which migration the database is at (None: none yet) and which this program needs."""

    current: str | None
    head: str

    @property
    def up_to_date(self) -> bool:
        """Whether the program can work on the database as it is."""
        return self.current == self.head


def schema(database: Database) -> SchemaState:
    """Return the database's state; raises as ``Database.reading``."""
    with database.reading() as connection:
        return SchemaState(_current(connection), _head(_scripts()))


def migrate(database: Database) -> list[str]:
    """Apply the migrations that are missing, all in one transaction, and return their revisions, oldest first.

    Safe when several processes do it at once: one works, the others wait and then find nothing to do.

    Raises:
        SchemaUnknown: a newer program migrated the database; nothing was changed.
        CatalogUnavailable: another process held the database too long; nothing was changed.

    """
    applied: list[str] = []
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    with database.reading() as connection:
        # Nothing to do is nothing to write: it must go well on a full disk, too.
        if _current(connection) == _head(scripts):
            return applied
    with _one_at_a_time, database.migrating() as connection:
        current = _current(connection)
        if current == _head(scripts):
            return applied
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = _recorder(applied)
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SchemaUnknown(f"this program does not know the database's migration {current!r}") from error
    return applied


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "tokenboard.catalog:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _head(scripts: ScriptDirectory) -> str:
    return str(scripts.get_current_head())


def _current(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _recorder(applied: list[str]) -> Callable[..., None]:
    """Return Alembic's callback that notes each revision as it is applied."""

    def record(*, step: object, **_: object) -> None:
        applied.append(str(getattr(step, "up_revision_id", None)))

    return record
