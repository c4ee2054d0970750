import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.spool.conftest import append, in_file
from tokenboard.spool import Spool, SpoolDamaged, SpoolError, SpoolUnavailable

OpenSpool = Callable[..., Spool]


def put(spool: Spool, *bodies: bytes, events: int = 1) -> None:
    for body in bodies:
        append(spool, body, events).result()


def bodies(spool: Spool, max_events: int = 1000, max_bytes: int = 10**9) -> list[bytes]:
    return [parcel.body for parcel in spool.peek(max_events, max_bytes)]


def test_parcels_come_out_in_the_order_they_went_in(spool: Spool) -> None:
    put(spool, b"a", b"b", b"c")
    assert [b"a", b"b", b"c"] == bodies(spool)
    assert [1, 2, 3] == [parcel.seq for parcel in spool.peek(10, 10)]


def test_an_empty_spool_has_nothing_to_peek_at(spool: Spool) -> None:
    assert () == spool.peek(10, 10)
    assert spool.fixed() is None


@pytest.mark.parametrize(
    ("max_events", "max_bytes", "expected"),
    [
        (5, 100, [b"aa", b"bb"]),  # 2 + 2 events, the third would make 6
        (6, 100, [b"aa", b"bb", b"cc"]),
        (100, 4, [b"aa", b"bb"]),
        (100, 5, [b"aa", b"bb"]),
        (1, 100, [b"aa"]),  # larger than asked for, and alone
        (100, 1, [b"aa"]),
        (0, 0, [b"aa"]),
    ],
)
def test_a_peek_is_bounded_in_events_and_in_bytes_and_never_empty_handed(
    spool: Spool, max_events: int, max_bytes: int, expected: list[bytes]
) -> None:
    put(spool, b"aa", b"bb", b"cc", events=2)
    assert expected == bodies(spool, max_events, max_bytes)


def test_a_fixed_batch_keeps_id_content_and_plan_until_it_is_acknowledged(open_spool: OpenSpool) -> None:
    spool = open_spool()
    put(spool, b"a", b"b", b"c")
    batch_id = spool.fix(2, b"the plan")
    put(spool, b"d")
    for again in (False, True):
        spool = open_spool() if again else spool
        batch = spool.fixed()
        assert batch is not None
        assert (batch_id, 2, b"the plan") == (batch.id, batch.last_seq, batch.plan)
        assert [b"a", b"b"] == [parcel.body for parcel in batch.parcels]
    spool.ack(batch_id)
    assert spool.fixed() is None
    assert [b"c", b"d"] == bodies(spool)
    assert [b"c", b"d"] == bodies(open_spool())


def test_only_one_batch_is_fixed_at_a_time(spool: Spool) -> None:
    put(spool, b"a", b"b")
    spool.fix(1, b"", [("why", b"x")])
    with pytest.raises(SpoolError, match="already fixed"):
        spool.fix(2, b"", [("why", b"y")])
    assert 1 == spool.state().dead_letters


def test_only_the_fixed_batch_can_be_acknowledged(spool: Spool) -> None:
    put(spool, b"a")
    with pytest.raises(SpoolError, match="no batch"):
        spool.ack("another")
    batch_id = spool.fix(1, b"")
    spool.ack(batch_id)
    with pytest.raises(SpoolError, match="no batch"):
        spool.ack(batch_id)


def test_a_batch_ends_with_a_parcel_that_waits_so_that_no_id_comes_twice(open_spool: OpenSpool) -> None:
    spool = open_spool()
    ids = set()
    for round_ in range(1, 6):
        put(spool, b"x")
        ids.add(spool.fix(spool.peek(10, 10)[-1].seq, b""))
        spool.ack(spool.fixed().id)  # type: ignore[union-attr]
        spool = open_spool()
        for gone in range(round_ + 2):
            with pytest.raises(SpoolError, match="no parcel"):
                spool.fix(gone, b"")
    assert 5 == len(ids)


def test_two_spools_never_give_the_same_batch_id(tmp_path: Path, spool: Spool) -> None:
    other = Spool(tmp_path / "other", "test", max_bytes=10, fsync=False, clock_ms=lambda: 0)
    put(spool, b"a")
    put(other, b"a")
    try:
        assert spool.fix(1, b"") != other.fix(1, b"")
    finally:
        other.close()


def test_a_record_becomes_a_dead_letter_together_with_its_batch_and_can_be_replayed(
    open_spool: OpenSpool, clock: Callable[[], int]
) -> None:
    spool = open_spool()
    put(spool, b"good", b"bad")
    batch_id = spool.fix(2, b"", [("unreadable", b"bad"), ("too long", b"worse")])
    spool.ack(batch_id)
    spool = open_spool()
    listed = spool.dead_letters()
    assert [("unreadable", b"bad"), ("too long", b"worse")] == [(one.reason, one.body) for one in listed]
    assert [clock(), clock()] == [one.at_ms for one in listed]
    assert listed[:1] == spool.dead_letters(limit=1)

    spool.arrived.clear()
    spool.replay(listed[0].number, len)
    assert spool.arrived.is_set()
    assert (3, 3, 1) == (spool.state().pending, spool.state().bytes, spool.state().dead_letters)
    assert [b"bad"] == bodies(spool)
    with pytest.raises(SpoolError, match="no dead letter"):
        spool.replay(listed[0].number, len)
    assert listed[1:] == spool.dead_letters()


def test_a_replay_whose_record_still_cannot_be_read_changes_nothing(spool: Spool) -> None:
    put(spool, b"a")
    spool.fix(1, b"", [("unreadable", b"bad")])

    def count(body: bytes) -> int:
        raise ValueError("still bad")

    with pytest.raises(ValueError, match="still bad"):
        spool.replay(spool.dead_letters()[0].number, count)
    assert (1, 1) == (spool.state().pending, spool.state().dead_letters)


def test_what_arrives_is_announced_and_what_leaves_is_not(spool: Spool) -> None:
    assert not spool.arrived.is_set()
    put(spool, b"a")
    assert spool.arrived.is_set()
    spool.arrived.clear()
    spool.ack(spool.fix(1, b""))
    assert not spool.arrived.is_set()


@pytest.mark.parametrize("seed", range(4))
def test_the_counters_always_equal_the_file_and_the_spool_a_plain_list(
    open_spool: OpenSpool, tmp_path: Path, seed: int
) -> None:
    choose = random.Random(seed)
    spool = open_spool()
    waiting: list[tuple[int, bytes]] = []
    dead_letters: list[bytes] = []
    dropped = 0
    seq = 0
    for _ in range(60):
        fixed = spool.fixed()
        step = choose.choice(["put", "put", "put", "fix", "ack", "replay", "drop", "reopen"])
        if step == "put":
            seq += 1
            waiting.append((seq, choose.randbytes(choose.randrange(1, 40))))
            put(spool, waiting[-1][1], events=choose.randrange(1, 4))
        elif step == "fix" and fixed is None and waiting:
            new = [("why", choose.randbytes(5)) for _ in range(choose.randrange(3))]
            dead_letters += [body for _, body in new]
            spool.fix(choose.choice(waiting)[0], b"plan", new)
        elif step == "ack" and fixed is not None:
            assert [entry for entry in waiting if entry[0] <= fixed.last_seq] == [
                (p.seq, p.body) for p in fixed.parcels
            ]
            waiting = [entry for entry in waiting if entry[0] > fixed.last_seq]
            spool.ack(fixed.id)
        elif step == "replay" and dead_letters:
            seq += 1
            chosen = choose.randrange(len(dead_letters))
            waiting.append((seq, dead_letters.pop(chosen)))
            spool.replay(spool.dead_letters()[chosen].number, lambda _: 1)
        elif step == "drop" and dead_letters:
            chosen = choose.randrange(len(dead_letters))
            assert dead_letters.pop(chosen) == spool.drop(spool.dead_letters()[chosen].number).body
            dropped += 1
        elif step == "reopen":
            spool = open_spool()
        assert in_file(tmp_path) == spool.state()
        assert dropped == spool.state().dropped
        assert waiting == [(parcel.seq, parcel.body) for parcel in spool.peek(10**6, 10**9)]
        assert dead_letters == [letter.body for letter in spool.dead_letters()]


def test_a_closed_spool_takes_and_gives_nothing(spool: Spool) -> None:
    put(spool, b"a")
    spool.close()
    spool.close()
    with pytest.raises(SpoolError, match="closed"):
        put(spool, b"b")
    with pytest.raises(SpoolUnavailable):
        spool.peek(1, 1)


def test_a_file_that_is_no_spool_cannot_be_opened(open_spool: OpenSpool, tmp_path: Path) -> None:
    (tmp_path / "test.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(SpoolDamaged, match=r"test\.sqlite") as caught:
        open_spool()
    assert caught.value.hint


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpoolUnavailable, match="file"):
        Spool(tmp_path / "file" / "spool", "test", max_bytes=1, fsync=False, clock_ms=lambda: 0)
