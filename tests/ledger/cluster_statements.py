"""Every statement that only a cluster is sent, as ``cluster.sql`` beside this file has them; run it to write them anew.

python -m tests.ledger.cluster_statements
"""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from clickhouse_connect.driver.client import Client

from tokenboard.ledger.engines import Cluster
from tokenboard.ledger.migration import migrate
from tokenboard.ledger.rollups import ROLLUPS, drop_raw_month, rebuild_rollup
from tokenboard.ledger.sql import query_text

GOLDEN = Path(__file__).with_name("cluster.sql")
ENGINES = Cluster("prod", 2, "board")


class Recording:
    """A client that notes what it is told, and answers that nothing is there yet."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def command(self, text: str, **given: Any) -> int:
        settings = {name: value for name, value in given.get("settings", {}).items() if name == "insert_shard_id"}
        note = "".join(f"-- {name} = {value}\n" for name, value in settings.items())
        if not text.startswith("EXISTS"):
            self.told.append(note + text.strip())
        return 0

    def query(self, text: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(result_rows=[[202601]] if "system.parts" in text else [])

    def insert(self, *_: Any, **__: Any) -> None:
        """Take rows of the small tables; they are as on one node."""


def cluster_statements() -> list[str]:
    """Return the statements of a new ledger on a cluster, a rebuild, a month dropped, and the questions that differ."""
    recording = Recording()
    client = cast(Client, recording)
    migrate(client, ENGINES)
    rebuild_rollup(client, ENGINES, "model_daily", 202601, date(2026, 2, 1))
    drop_raw_month(client, ENGINES, 202501)
    for table in ("usage", *ROLLUPS):
        recording.told += ENGINES.caught_up(table)
    names = ENGINES.names()
    for question, given in (
        ("months_held", ("parts",)),
        ("attempts", ("processes",)),
        ("last_batch", ("all_day_changes",)),
        ("day_changes", ("change_number",)),
    ):
        recording.told.append(query_text(question, **{name: names[name] for name in given}).strip())
    return recording.told


def written(statements: list[str]) -> str:
    """Return statements as the text of the file."""
    settings = "".join(f"-- {name} = {value}\n" for name, value in ENGINES.settings.items())
    return f"-- With every statement:\n{settings}\n" + ";\n\n".join(statements) + ";\n"


if __name__ == "__main__":
    GOLDEN.write_text(written(cluster_statements()))
