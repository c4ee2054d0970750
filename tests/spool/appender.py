"""A process of its own that appends until it is killed, or until its disk is full.

python -m tests.spool.appender kill FOLDER FIRST      appends numbers from FIRST on, and prints each one acknowledged
python -m tests.spool.appender only FOLDER FIRST      the same, and delivers nothing
python -m tests.spool.appender full FOLDER LIMIT      appends while files may have LIMIT bytes, then without a limit
"""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

import uvloop

from tokenboard.spool import Spool, SpoolUnavailable

TASKS = 20


def tell(line: bytes) -> None:
    os.write(sys.stdout.fileno(), line + b"\n")  # in one piece, whichever thread


async def append_for_ever(spool: Spool, first: int, *, deliver_too: bool = True) -> None:
    async def task(number: int) -> None:
        while True:
            await spool.append(b"%d" % number)
            tell(b"%d" % number)
            number += TASKS

    async def batches() -> None:
        while deliver_too:
            await asyncio.to_thread(deliver, spool)

    await asyncio.gather(batches(), *(task(first + offset) for offset in range(TASKS)))


def deliver(spool: Spool) -> None:
    """Take a batch out, with its numbers as its plan; what was delivered is printed before it is acknowledged."""
    parcels = spool.peek(50, 10**6)
    if parcels and spool.fixed() is None:
        spool.fix(parcels[-1].seq, b" ".join(parcel.body for parcel in parcels))
    if (batch := spool.fixed()) is not None:
        assert batch.plan == b" ".join(parcel.body for parcel in batch.parcels)
        tell(b"delivered %s %s" % (batch.id.encode(), batch.plan))
        spool.ack(batch.id)


async def fill_the_disk(spool: Spool, limit: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    acknowledged = 0
    while True:
        outcomes = await asyncio.gather(*(spool.append(b"x" * 1000) for _ in range(50)), return_exceptions=True)
        acknowledged += outcomes.count(None)
        if failed := [outcome for outcome in outcomes if outcome is not None]:
            break
    assert all(isinstance(outcome, SpoolUnavailable) for outcome in failed), failed
    assert len({id(outcome) for outcome in failed}) == len(failed)
    state = spool.state()
    assert (acknowledged, acknowledged * 1000) == (state.pending, state.bytes), (acknowledged, state)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await spool.append(b"after")
    print(acknowledged + 1, len(failed), flush=True)


def main() -> None:
    what, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(folder, "test", max_bytes=10**9, fsync=False, clock_ms=lambda: 0)
    work = (
        fill_the_disk(spool, number) if what == "full" else append_for_ever(spool, number, deliver_too=what == "kill")
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
    spool.close()


if __name__ == "__main__":
    main()
