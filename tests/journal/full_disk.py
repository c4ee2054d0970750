"""Fill a disk of our own beneath a journal, give room again, and print what became of it.

unshare -rm python -m tests.journal.full_disk MOUNT
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from tests.board import wait_for
from tests.journal.conftest import bodies_in, clock_ms, end_of, outcomes
from tokenboard.durability import SpoolUnavailable
from tokenboard.journal import JournalReader, JournalWriter

SIZE = 1_000


def main() -> None:
    mount = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(mount)], check=True)
    folder = mount / "gateway-1"
    writer = JournalWriter(folder, fsync=True, clock_ms=clock_ms, segment_bytes=500_000)
    acknowledged: list[bytes] = []
    told: list[BaseException] = []
    while not told:
        bodies = [b"%d " % (len(acknowledged) + at) + b"x" * SIZE for at in range(50)]
        for body, outcome in zip(bodies, outcomes(writer, bodies), strict=True):
            if outcome is None:
                acknowledged.append(body)
            else:
                told.append(outcome)
    fault = writer.fault()
    facts = {
        "failed": sorted({type(each).__name__ for each in told}),
        "each its own": len({id(each) for each in told}) == len(told),
        "hint": isinstance(told[0], SpoolUnavailable) and told[0].hint,
        "sound": writer.sound,
        "fault": fault is not None and fault.what,
        "readable": bodies_in(folder) == acknowledged,
    }
    writer.close()
    with contextlib.suppress(OSError), (mount / "filling").open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(4096))
    writer = JournalWriter(folder, fsync=True, clock_ms=clock_ms, segment_bytes=500_000)
    wait_for(lambda: not writer.sound, 20)
    facts["opens without room"] = bodies_in(folder) == acknowledged and writer.held().events == len(acknowledged)
    reader = JournalReader(folder)
    reader.forget(end_of(folder))  # what the board has gives room by itself
    wait_for(lambda: writer.sound, 20)
    facts["works again"] = outcomes(writer, [b"after"]) == [None]
    facts["after"] = bodies_in(folder)[-1] == b"after"
    writer.close()
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
