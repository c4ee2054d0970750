"""A process of its own that appends until it is killed.

python -m tests.journal.appender FOLDER FIRST FSYNC      appends numbers from FIRST on, and prints each one acknowledged
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import uvloop

from tokenboard.journal import JournalWriter

TASKS = 20


async def append_for_ever(writer: JournalWriter, first: int) -> None:
    async def task(number: int) -> None:
        while True:
            await writer.append(b"%d" % number)
            os.write(sys.stdout.fileno(), b"%d\n" % number)  # in one piece
            number += TASKS

    await asyncio.gather(*(task(first + offset) for offset in range(TASKS)))


def main() -> None:
    folder, first, fsync = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
    writer = JournalWriter(folder, fsync=fsync, clock_ms=lambda: time.time_ns() // 1_000_000, segment_bytes=4_000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(append_for_ever(writer, first))


if __name__ == "__main__":
    main()
