import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.spool.appender import JOURNAL
from tests.spool.conftest import in_file
from tokenboard.spool import Spool

ROUNDS = 12


def start(what: str, folder: Path, number: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.spool.appender", what, str(folder), str(number)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_was_acknowledged_survives_kill_9_and_no_batch_changes(
    open_spool: Callable[..., Spool], tmp_path: Path
) -> None:
    choose = random.Random(9)
    acknowledged: set[int] = set()
    delivered: dict[str, str] = {}
    for _ in range(ROUNDS):
        with start("kill", tmp_path, max(acknowledged, default=0) + 1000) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(choose.randrange(1, 300))]
            child.kill()
            lines += child.stdout.readlines()
        for line in lines:
            word, *rest = line.split()
            if not line.endswith("\n"):
                continue  # cut off while it was printed
            if word == "delivered":
                # Told twice when killed between telling and acknowledging, and then with the same content.
                assert delivered.setdefault(rest[0], " ".join(rest[1:])) == " ".join(rest[1:])
            else:
                acknowledged.add(int(word))
    state = in_file(tmp_path)
    spool = open_spool()
    assert state == spool.state()
    left = [parcel.body.decode() for parcel in spool.peek(10**6, 10**9)]
    batch = spool.fixed()
    if batch is not None and batch.id in delivered:
        assert batch.plan.decode() == delivered.pop(batch.id)
    gone = [number for numbers in delivered.values() for number in numbers.split()]
    everything = gone + left
    assert len(set(everything)) == len(everything)
    assert acknowledged <= {int(number) for number in everything}
    collected = sorted(-int(number) for number in everything if number.startswith("-"))
    assert list(range(1, -int(spool.cursor(JOURNAL) or 0) + 1)) == collected
    assert len(delivered) > ROUNDS
    assert len(acknowledged) > ROUNDS * 10
    assert len(collected) > ROUNDS


def test_a_full_disk_fails_those_who_wait_and_nothing_is_wrong_once_there_is_room(
    open_spool: Callable[..., Spool], tmp_path: Path
) -> None:
    with start("full", tmp_path, 600_000) as child:
        assert child.stdout is not None
        acknowledged, failed = (int(word) for word in child.stdout.read().split())
    assert 0 == child.returncode
    assert failed > 0
    assert acknowledged > 100
    state = in_file(tmp_path)
    assert acknowledged == state.pending
    assert state == open_spool().state()
    assert b"after" == open_spool().peek(10**6, 10**9)[-1].body
