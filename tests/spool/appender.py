"""A process of its own that appends and collects until it is killed, or appends until its disk is full.

python -m tests.spool.appender kill FOLDER FIRST      appends numbers from FIRST on, collects those below 0, prints each
                                                      one acknowledged
python -m tests.spool.appender only FOLDER FIRST      the same, and delivers nothing
python -m tests.spool.appender full FOLDER LIMIT      appends while files may have LIMIT bytes, then without a limit
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from tokenboard.spool import Spool, SpoolUnavailable

CALLERS = 20
JOURNAL = "journal"


def tell(line: bytes) -> None:
    os.write(sys.stdout.fileno(), line + b"\n")  # in one piece, whichever thread


def append_for_ever(spool: Spool, first: int, *, deliver_too: bool) -> None:
    def caller(number: int) -> None:
        while True:
            body = b"%d" % number
            receipt = spool.append_new(lambda _, body=body: body, [body]).result()  # type: ignore[misc]
            assert receipt.accepted == 1, number
            tell(body)
            number += CALLERS

    def start(work: Callable[..., None], *what: object) -> Thread:
        thread = Thread(target=work, args=what)
        thread.start()
        return thread

    threads = [start(caller, first + offset) for offset in range(CALLERS)]
    threads.append(start(collect_for_ever, spool))
    while deliver_too:
        deliver(spool)
    for thread in threads:
        thread.join()


def collect_for_ever(spool: Spool) -> None:
    """Collect a journal of the numbers -1, -2 and so on, from where its cursor says."""
    while True:
        after = spool.cursor(JOURNAL)
        cursor = b"%d" % (int(after or 0) - 1)
        spool.collect(JOURNAL, cursor.decode(), after=after, parcels=[(1, cursor)])
        tell(cursor)


def deliver(spool: Spool) -> None:
    """Take a batch out, with its numbers as its plan; what was delivered is printed before it is acknowledged."""
    parcels = spool.peek(50, 10**6)
    if parcels and spool.fixed() is None:
        spool.fix(parcels[-1].seq, b" ".join(parcel.body for parcel in parcels))
    if (batch := spool.fixed()) is not None:
        assert batch.plan == b" ".join(parcel.body for parcel in batch.parcels)
        tell(b"delivered %s %s" % (batch.id.encode(), batch.plan))
        spool.ack(batch.id)


def fill_the_disk(spool: Spool, limit: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    acknowledged = number = 0
    while True:
        waiting = [spool.append_new(lambda _: b"x" * 1000, [b"%d" % (number + each)]) for each in range(50)]
        number += 50
        outcomes = [one.exception() for one in waiting]
        acknowledged += outcomes.count(None)
        if failed := [outcome for outcome in outcomes if outcome is not None]:
            break
    assert all(isinstance(outcome, SpoolUnavailable) for outcome in failed), failed
    assert len({id(outcome) for outcome in failed}) == len(failed)
    state = spool.state()
    assert (acknowledged, acknowledged * 1000) == (state.pending, state.bytes), (acknowledged, state)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    spool.append_new(lambda _: b"after", [b"after"]).result()
    print(acknowledged + 1, len(failed), flush=True)


def main() -> None:
    what, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(folder, "test", max_bytes=10**9, fsync=False, clock_ms=lambda: 0)
    if what == "full":
        fill_the_disk(spool, number)
    else:
        append_for_ever(spool, number, deliver_too=what == "kill")
    spool.close()


if __name__ == "__main__":
    main()
