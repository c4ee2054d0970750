"""The schema brought up to date: numbered files applied in order, each noted once it is done."""

from string import Template

from clickhouse_connect.driver.client import Client

from tokenboard.ledger.engines import Engines
from tokenboard.ledger.errors import LedgerOutdated
from tokenboard.ledger.rollups import ROLLUPS, sums_of_views
from tokenboard.ledger.sql import schema_files

_NOTES = (
    "CREATE TABLE IF NOT EXISTS schema_files${on} (name String, applied DateTime DEFAULT now()) "
    "ENGINE = $merge_tree_everywhere ORDER BY name"
)


def migrate(client: Client, engines: Engines) -> list[str]:
    """Apply the files not applied yet, in order, and return their names.

    Raises:
        LedgerOutdated: files are applied that this program does not know; nothing was changed.

    """
    files = schema_files()
    if applied_files(client) == [name for name, _ in files]:
        return []  # and nothing to write, on a full disk for one
    client.command(Template(_NOTES).substitute(engines.names()))
    applied, done = set(applied_files(client)), []
    if unknown := sorted(applied - {name for name, _ in files}):
        raise LedgerOutdated(f"a newer program has applied {unknown[-1]} to the ledger")
    for name, text in files:
        if name in applied:
            continue
        # Every statement may be repeated, so a file interrupted half way is simply applied again.
        for statement in statements(text, engines):
            client.command(statement)
        if name == files[-1][0]:
            for table in ("usage", *ROLLUPS):
                for statement in engines.covers(table):
                    client.command(statement)
        client.insert("schema_files", [[name]], column_names=["name"])
        done.append(name)
    return done


def statements(text: str, engines: Engines) -> list[str]:
    """Return the statements of a schema file, for these engines; a server refuses one that is but a comment."""
    without_comments = "\n".join(line for line in text.split("\n") if not line.startswith("--"))
    whole = Template(without_comments).substitute(engines.names() | sums_of_views(engines))
    return [statement.strip() for statement in whole.split(";\n")]


def check_schema(client: Client) -> None:
    """Make sure the schema is the one this program writes.

    Raises:
        LedgerOutdated: a file is missing in the ledger, or one is there that this program does not know.

    """
    applied, known = applied_files(client), [name for name, _ in schema_files()]
    if applied != known:
        raise LedgerOutdated(
            f"the ledger's schema is at {applied[-1] if applied else 'nothing'}, this program's at {known[-1]}"
        )


def applied_files(client: Client) -> list[str]:
    """Return the names of the files that were applied, in order."""
    if not client.command("EXISTS TABLE schema_files"):
        return []
    return [str(row[0]) for row in client.query("SELECT DISTINCT name FROM schema_files ORDER BY name").result_rows]
