"""The counters by which readers learn, cheaply, that something changed."""

from typing import Literal

import sqlalchemy as sa

from tokenboard.catalog.schema import REVISIONS

Counter = Literal["apps", "keys", "writes"]


def read(connection: sa.Connection, name: Counter) -> int:
    """Return the counter as this transaction sees it."""
    return int(connection.execute(sa.select(REVISIONS.c.value).where(REVISIONS.c.name == name)).scalar_one())


def bump(connection: sa.Connection, name: Counter) -> int:
    """Add one to the counter and return it. Only in a writing transaction: numbers are then committed in order."""
    return int(
        connection.execute(
            sa.update(REVISIONS)
            .where(REVISIONS.c.name == name)
            .values(value=REVISIONS.c.value + 1)
            .returning(REVISIONS.c.value)
        ).scalar_one()
    )


def next_id(connection: sa.Connection, table: sa.Table) -> int:
    """Return the table's largest id + 1. Only in a writing transaction: nobody else takes the same."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0) + 1)).scalar_one())
