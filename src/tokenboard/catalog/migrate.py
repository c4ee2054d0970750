"""Bringing a database to this program's schema, in two phases. The steps are the package's own, in migrations/.

    versions/  0001 0002 …        phase ``pre``: adds; the older program works on beside it
    post/      post_0001 …        phase ``post``: takes away what only older programs need; after all of ``pre``

Each phase is a branch of Alembic's of its own, so a database is at one step of each. A step's id tells its phase, so
that a program knows what a step it has never heard of means: of ``pre``, it can work beside it; of ``post``, it cannot.
"""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from tokenboard.catalog.engine import Database
from tokenboard.catalog.errors import SchemaUnknown

Phase = Literal["pre", "post", "all"]

LOCATIONS: Final = ("tokenboard.catalog:migrations/versions", "tokenboard.catalog:migrations/post")
"""Where the steps are."""

_PRE = re.compile(r"\d{4}", re.ASCII)
_POST = "post_"

# Alembic keeps the running migration in module globals, so one process runs one at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which step of ``pre`` the database is at (None: none yet), and which this program needs; the same of ``post``.

    ``newer`` when a newer program migrated it, by steps beside which this one works. ``foreign`` names a step beside
    which it does not.
    """

    current: str | None
    head: str
    post_current: str | None = None
    post_head: str | None = None
    newer: bool = False
    foreign: str | None = None

    @property
    def up_to_date(self) -> bool:
        """Whether the program can work on the database as it is."""
        return self.foreign is None and (self.newer or self.current == self.head)

    @property
    def post_waits(self) -> bool:
        """Whether steps of ``post`` are left, for when no older program works on the database."""
        return self.up_to_date and not self.newer and self.post_current != self.post_head


def schema(database: Database) -> SchemaState:
    """Return the database's state; raises as ``Database.reading``."""
    scripts = ScriptDirectory.from_config(_config())
    return database.read(lambda connection: _state(connection, scripts))


def migrate(database: Database, phase: Phase = "all") -> list[str]:
    """Apply the steps of a phase that are missing, all in one transaction, and return their ids, oldest first.

    ``post`` needs all of ``pre``, and does it first. A database without tables gets all of both: nothing older works on
    it. Safe when several processes do it at once: one works, the others wait and then find nothing to do.

    Raises:
        SchemaUnknown: a newer program migrated the database so that this one cannot work on it; nothing was changed.
        CatalogUnavailable: another process held the database too long; nothing was changed.

    """
    applied: list[str] = []
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    # Nothing to do is nothing to write: it must go well on a full disk, too.
    if not _targets(database.read(lambda connection: _state(connection, scripts)), phase):
        return applied
    with _one_at_a_time, database.migrating() as connection:
        targets = _targets(_state(connection, scripts), phase)
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = _recorder(applied)
        for target in targets:
            try:
                command.upgrade(config, target)
            except CommandError as error:
                raise SchemaUnknown(f"the database cannot be brought to the migration {target!r}: {error}") from error
    return applied


def _targets(state: SchemaState, phase: Phase) -> list[str]:
    """Return the steps to go to; raises SchemaUnknown."""
    if state.foreign is not None:
        raise SchemaUnknown(f"this program does not know the database's migration {state.foreign!r}")
    if state.newer:
        return []
    targets = [state.head] if state.current != state.head else []
    if (phase != "pre" or state.current is None) and state.post_head not in (None, state.post_current):
        targets.append(str(state.post_head))
    return targets


def _state(connection: sa.Connection, scripts: ScriptDirectory) -> SchemaState:
    known = {str(script.revision) for script in scripts.walk_revisions()}
    heads = [str(head) for head in scripts.get_heads()]
    head, post_head = _of_pre(heads) or "", _of_post(heads)
    at = MigrationContext.configure(connection).get_current_heads()
    unknown = [step for step in at if step not in known]
    newer = [step for step in unknown if _PRE.fullmatch(step) and step > head]
    foreign = next((step for step in unknown if step not in newer), None)
    return SchemaState(_of_pre(at), head, _of_post(at), post_head, bool(newer), foreign)


def _of_pre(steps: Iterable[str]) -> str | None:
    return next((step for step in steps if not step.startswith(_POST)), None)


def _of_post(steps: Iterable[str]) -> str | None:
    return next((step for step in steps if step.startswith(_POST)), None)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "tokenboard.catalog:migrations")
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(LOCATIONS))
    return config


def _recorder(applied: list[str]) -> Callable[..., None]:
    """Return Alembic's callback that notes each revision as it is applied."""

    def record(*, step: object, **_: object) -> None:
        applied.append(str(getattr(step, "up_revision_id", None)))

    return record
