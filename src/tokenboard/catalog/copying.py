"""A catalog put into another database as it is: every row, every id, compared afterwards."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from tokenboard.catalog import migrate
from tokenboard.catalog.engine import Database
from tokenboard.catalog.errors import CatalogError, CatalogFault, SchemaOutdated
from tokenboard.catalog.schema import DUTIES, METADATA, REVISIONS

_ROWS = 500
_COPIED = tuple(table for table in METADATA.sorted_tables if table is not DUTIES)
"""In an order in which rows only refer to earlier tables, or their own. Duties are of the boards that run."""


class NotEmpty(CatalogError):
    """The database to copy to holds a catalog already."""

    default_hint = "Name another database, or empty this one; nothing was changed."


def copy(source: Database, target: Database) -> dict[str, int]:
    """Copy the catalog in one transaction, compare both, and return how many rows each table has.

    The target is migrated first, and must hold nothing. When this raises it holds nothing still.

    Raises:
        SchemaOutdated: the source has not this program's schema.
        NotEmpty: the target holds a catalog.
        CatalogFault: the copy is not what was copied.

    """
    state = migrate.schema(source)
    if state.newer or not state.up_to_date or state.post_waits:
        raise SchemaOutdated("the catalog to be copied has not exactly the schema of this program")
    migrate.migrate(target)
    with source.reading() as held, target.writing() as connection:
        for table in _COPIED:
            if table is not REVISIONS and connection.execute(sa.select(sa.literal(1)).select_from(table)).first():
                raise NotEmpty(f"the database to copy to holds {table.name} already")
        connection.execute(sa.delete(REVISIONS))
        counts = {table.name: _copy(held, connection, table) for table in _COPIED}
        for table in _COPIED:
            if _digest(held, table) != _digest(connection, table):
                raise CatalogFault(
                    f"the copy of {table.name} differs from what was copied; nothing is kept of it",
                    hint="Check the database to copy from, with `tokenboard doctor`.",
                )
    return counts


def _copy(source: sa.Connection, target: sa.Connection, table: sa.Table) -> int:
    """Copy one table; what refers to rows of the same one is filled in once all are there."""
    own = [column for column in table.c if any(key.column.table is table for key in column.foreign_keys)]
    key = table.primary_key.columns.values()[0]
    fill = (
        sa.update(table).where(key == sa.bindparam("of")).values({one: sa.bindparam(f"to_{one.name}") for one in own})
    )
    references: list[dict[str, Any]] = []
    count = 0
    for rows in _chunks(source, table):
        for row in rows:
            referred = {f"to_{one.name}": row[one.name] for one in own}
            if any(value is not None for value in referred.values()):
                references.append({"of": row[key.name], **referred})
                row.update(dict.fromkeys((one.name for one in own), None))
        target.execute(sa.insert(table), rows)
        count += len(rows)
    for start in range(0, len(references), _ROWS):
        target.execute(fill, references[start : start + _ROWS])
    return count


def _digest(connection: sa.Connection, table: sa.Table) -> tuple[int, int]:
    """Return the number of a table's rows and a sum over them, whatever their order."""
    count = total = 0
    for rows in _chunks(connection, table):
        for row in rows:
            text = json.dumps(row, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
            total = (total + int.from_bytes(hashlib.sha256(text).digest())) % 2**256
            count += 1
    return count, total


def _chunks(connection: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a table, not all at once."""
    result = connection.execution_options(yield_per=_ROWS).execute(sa.select(table))
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]
