"""A process that lets children insert fixed batches and kills them, again and again, then tells what the ledger holds.

    python -m tests.ledger.torture FOLDER ROUNDS SEED

Children are forked, so that each opens the engine anew without importing it anew. Prints one JSON object: how many
batches there are, how many kills came in the middle of one, and the tables that differ from the oracle.
"""

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.events import DAY_MS, event
from tests.ledger.oracle import ask, expected, held
from tests.rows import arrange_rows
from tokenboard.event import UsageEvent
from tokenboard.ledger import ROLLUPS, BatchId, Ledger

BATCH = 3_000
TODAY_MS = int(time.time() * 1000) // DAY_MS * DAY_MS
_MONTHS = (0, 31 * DAY_MS, 62 * DAY_MS, 93 * DAY_MS)


def batch(number: int) -> list[tuple[UsageEvent, int]]:
    """Return a batch's events with their app ids: the same for the same number, spread over four months."""
    choose = random.Random(number)
    plain = event()
    fields = {name: getattr(plain, name) for name in plain.__struct_fields__}
    rows = []
    for place in range(BATCH):
        fields["id"] = f"{number}-{place}"
        fields["ts_ms"] = TODAY_MS - _MONTHS[place % 4] - choose.randrange(DAY_MS)
        fields["model"] = choose.choice("abc")
        fields["prompt_tokens"] = choose.randrange(10**6)
        fields["endpoint"] = choose.choice(("chat", "embeddings", ""))
        fields["tool_calls"] = choose.choice((None, False, True))
        fields["failed"] = place % 50 == 0
        rows.append((UsageEvent(**fields), choose.randrange(40)))
    return rows


def insert(ledger: Ledger, number: int, *, fresh: bool = False) -> None:
    rows = batch(number)
    arranged = arrange_rows([one for one, _ in rows], [app for _, app in rows], [None] * BATCH)
    ledger.insert(BatchId(1, number + 1), arranged, fresh=fresh)


def insert_for_ever(folder: str, number: int, told: int) -> None:
    """Insert the batches from this one on, telling of each when it begins and when it is done."""
    ledger = Ledger(f"chdb://{folder}")
    ledger.migrate()
    fresh = False  # the first one may have been tried before
    while True:
        os.write(told, b"begun\n")
        insert(ledger, number, fresh=fresh)
        fresh = True
        os.write(told, b"done\n")
        number += 1


def in_child(work: Callable[[int], None]) -> tuple[int, int]:
    """Run the work in a forked child; return its process id and the end of a pipe that it writes to."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        work(writing)
    finally:
        os._exit(1)


def heard(reading: int) -> bytes:
    piece = os.read(reading, 100)
    assert piece, "the child ended by itself"
    return piece


def time_of_one_insert(folder: str) -> float:
    """Insert batch 0 undisturbed; return how long it took, in seconds."""

    def work(told: int) -> None:
        ledger = Ledger(f"chdb://{folder}")
        ledger.migrate()
        started = time.monotonic()
        insert(ledger, 0)
        os.write(told, b"%f" % (time.monotonic() - started))
        ledger.close()

    child, reading = in_child(work)
    seconds = float(heard(reading))
    os.waitpid(child, 0)
    os.close(reading)
    return seconds


def kill_at_a_random_moment(folder: str, number: int, within_s: float, choose: random.Random) -> tuple[int, bool]:
    """Insert from this batch on until killed; return the first batch that is not known to be done, and if it began."""
    child, reading = in_child(lambda told: insert_for_ever(folder, number, told))
    said = b""
    while b"begun" not in said:
        said += heard(reading)
    deadline = time.monotonic() + choose.uniform(0, within_s)
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            said += heard(reading)
    os.kill(child, signal.SIGKILL)
    while piece := os.read(reading, 100):
        said += piece
    os.waitpid(child, 0)
    os.close(reading)
    done = said.count(b"done")
    return number + done, said.count(b"begun") > done


def main() -> None:
    folder, rounds, seed = str(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    choose = random.Random(seed)
    within_s = one_insert_s = 2 * time_of_one_insert(folder)
    number, interrupted = 1, 0
    for _ in range(rounds):
        before = number
        number, begun = kill_at_a_random_moment(folder, number, within_s, choose)
        # However slow the machine has become, some batches get through.
        within_s = within_s * 1.5 if number == before else one_insert_s
        interrupted += begun
    ledger = Ledger(f"chdb://{folder}")
    for again in (number, number):
        insert(ledger, again)  # the interrupted one, and then once more what is there already
    everything = [row for one in range(number + 1) for row in batch(one)]
    # Hours are kept for five weeks: of the older ones nothing is asked.
    recent = [row for row in everything if row[0].ts_ms >= TODAY_MS - DAY_MS]
    wrong = []
    for table in ("usage", *ROLLUPS):
        found = held(ledger, table)
        if table == "app_hourly":
            found = {key: figures for key, figures in found.items() if key[0] * 1000 >= TODAY_MS - DAY_MS}
        if found != expected(table, recent if table == "app_hourly" else everything):
            wrong.append(table)
    if ask(ledger, "SELECT count(), uniqExact(id) FROM usage") != [(len(everything), len(everything))]:
        wrong.append("ids")
    if set(ledger.day_changes().values()) != {number + 1}:
        wrong.append("day_changes")
    ledger.close()
    print(json.dumps({"batches": number + 1, "interrupted": interrupted, "wrong": wrong}))


if __name__ == "__main__":
    main()
