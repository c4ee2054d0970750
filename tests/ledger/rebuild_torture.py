"""Rebuilds killed in the middle, again and again: what was right stays right, what was wrong is right in the end.

    python -m tests.ledger.rebuild_torture FOLDER KILLS SEED

Prints one JSON object: the tables that were wrong after the kills though nothing had harmed them, those that are wrong
after a last rebuild, and how many kills came in the middle of a month.
"""

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime

from tests.events import DAY_MS
from tests.ledger.oracle import ask, expected, held
from tests.ledger.torture import BATCH, TODAY_MS, batch, heard, in_child
from tests.rows import arrange_rows
from tokenboard.ledger import ROLLUPS, BatchId, Ledger

BATCHES = 3
HARMED = ("app_daily", "key_daily", "model_daily")


def opened(folder: str) -> Ledger:
    ledger = Ledger(f"chdb://{folder}")
    ledger.migrate()
    ledger.finish_rebuilds(datetime.now(UTC).date())
    return ledger


def fill(folder: str, told: int) -> None:
    """Fill a ledger over four months, and harm three rollups."""
    ledger = opened(folder)
    ledger.fill_new_rollups(datetime.now(UTC).date())
    for number in range(BATCHES):
        rows = batch(number)
        arranged = arrange_rows([one for one, _ in rows], [app for _, app in rows], [None] * BATCH)
        ledger.insert(BatchId(1, number + 1), arranged)
    ask(ledger, "ALTER TABLE app_daily DELETE WHERE app_id % 3 = 0 SETTINGS mutations_sync = 1")
    ask(ledger, "INSERT INTO key_daily SELECT * FROM key_daily")
    ask(ledger, "ALTER TABLE model_daily DELETE WHERE tool_use = 'called' SETTINGS mutations_sync = 1")
    ledger.close()
    os.write(told, b"done\n")


def rebuild_for_ever(folder: str, told: int) -> None:
    ledger = opened(folder)
    while True:
        for month in ledger.raw_months():
            os.write(told, b"begun\n")
            ledger.rebuild_month(month, datetime.now(UTC).date())
            os.write(told, b"done\n")


def kill_within(folder: str, seconds: float) -> bool:
    """Rebuild until killed; whether a month was under way."""
    child, reading = in_child(lambda told: rebuild_for_ever(folder, told))
    said = heard(reading)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    while piece := os.read(reading, 100):
        said += piece
    os.waitpid(child, 0)
    os.close(reading)
    return said.count(b"begun") > said.count(b"done")


def wrong(ledger: Ledger, tables: tuple[str, ...]) -> list[str]:
    everything = [row for number in range(BATCHES) for row in batch(number)]
    found = []
    for table in tables:
        is_hourly = table == "app_hourly"
        rows = [row for row in everything if not is_hourly or row[0].ts_ms >= TODAY_MS - DAY_MS]
        has = held(ledger, table)
        if is_hourly:
            has = {key: figures for key, figures in has.items() if key[0] * 1000 >= TODAY_MS - DAY_MS}
        if has != expected(table, rows):
            found.append(table)
    return found


def main() -> None:
    folder, kills, choose = sys.argv[1], int(sys.argv[2]), random.Random(int(sys.argv[3]))
    child, reading = in_child(lambda told: fill(folder, told))
    heard(reading)
    os.waitpid(child, 0)
    interrupted = sum(kill_within(folder, choose.uniform(0, 0.4)) for _ in range(kills))
    ledger = opened(folder)
    tables = ("usage", *ROLLUPS)
    after_kills = wrong(ledger, tuple(table for table in tables if table not in HARMED))
    for month in ledger.raw_months():
        ledger.rebuild_month(month, datetime.now(UTC).date())
    in_the_end = wrong(ledger, tables)
    left = [name for (name,) in ask(ledger, "SELECT name FROM system.tables WHERE name LIKE '%rebuilt%'")]
    ledger.close()
    print(json.dumps({"after_kills": after_kills, "in_the_end": in_the_end, "interrupted": interrupted, "left": left}))


if __name__ == "__main__":
    main()
