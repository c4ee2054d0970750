import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spool.conftest import DAY_MS, Clock, in_file
from tokenboard.spool import Receipt, Spool, SpoolFull

OpenSpool = Callable[..., Spool]


def kept(ids: Sequence[bytes]) -> Callable[[Sequence[int]], bytes]:
    return lambda positions: b" ".join(ids[position] for position in positions)


def report(spool: Spool, *ids: bytes) -> Receipt:
    return spool.append_new(kept(ids), ids).result()


def taken(spool: Spool) -> list[bytes]:
    return [name for parcel in spool.peek(10**6, 10**9) for name in parcel.body.split()]


def test_an_id_is_taken_once_within_a_body_and_across_bodies(spool: Spool) -> None:
    assert Receipt(2, 1) == report(spool, b"a", b"b", b"a")
    assert Receipt(1, 2) == report(spool, b"b", b"c", b"a")
    assert [b"a", b"b", b"c"] == taken(spool)


def test_a_body_of_duplicates_only_leaves_no_parcel(spool: Spool, tmp_path: Path) -> None:
    report(spool, b"a")
    spool.arrived.clear()
    assert Receipt(0, 1) == report(spool, b"a")
    assert not spool.arrived.is_set()
    assert Receipt(0, 0) == report(spool)
    assert 1 == spool.state().pending
    assert in_file(tmp_path) == spool.state()


def test_ids_are_remembered_across_a_restart_and_after_the_ledger_has_the_events(open_spool: OpenSpool) -> None:
    spool = open_spool()
    report(spool, b"a")
    spool.ack(spool.fix(1, b""))
    assert Receipt(0, 1) == report(open_spool(), b"a")


@pytest.mark.parametrize("seen_days", [1, 7])
def test_an_id_is_remembered_for_the_days_set_and_no_longer(
    open_spool: OpenSpool, clock: Clock, seen_days: int
) -> None:
    spool = open_spool(seen_days=seen_days)
    report(spool, b"a")
    clock.pass_ms(seen_days * DAY_MS + 1)
    assert Receipt(1, 0) == report(spool, b"a")
    clock.pass_ms(seen_days * DAY_MS)
    assert Receipt(0, 1) == report(spool, b"a")


def test_the_days_count_from_an_ids_latest_sending(spool: Spool, clock: Clock) -> None:
    report(spool, b"a", b"b")
    for _ in range(5):
        clock.pass_ms(6 * DAY_MS)
        assert Receipt(0, 1) == report(spool, b"a")
    assert Receipt(1, 1) == report(spool, b"a", b"b")


def test_ids_past_their_days_are_swept_from_the_file(spool: Spool, clock: Clock) -> None:
    report(spool, *(f"old {number}".encode() for number in range(50)))
    clock.pass_ms(8 * DAY_MS)
    report(spool, b"new")
    assert 1 == _remembered(spool)


@pytest.mark.parametrize("jump_ms", [8 * DAY_MS, -3_600_000, -400 * DAY_MS, 4_000 * DAY_MS])
@pytest.mark.parametrize("when", ["while it runs", "while it is stopped"])
def test_a_clock_that_jumps_forgets_no_id(open_spool: OpenSpool, clock: Clock, jump_ms: int, when: str) -> None:
    ids = [f"id-{number}".encode() for number in range(1_000)]
    spool = open_spool()
    assert Receipt(1_000, 0) == report(spool, *ids)
    if when == "while it runs":
        clock.now += jump_ms
    else:
        spool.close()
        clock.now += jump_ms
        spool = open_spool()
    assert Receipt(0, 1_000) == report(spool, *ids)
    clock.now -= jump_ms
    assert Receipt(0, 1_000) == report(open_spool(), *ids)


def test_time_counts_across_restarts_as_far_as_the_spool_was_open(open_spool: OpenSpool, clock: Clock) -> None:
    report(open_spool(), b"a")
    for _ in range(3):
        clock.pass_ms(2 * DAY_MS)
        open_spool().close()
        clock.pass_ms(DAY_MS)
    spool = open_spool()
    clock.pass_ms(DAY_MS)
    assert Receipt(0, 1) == report(spool, b"a")
    clock.pass_ms(7 * DAY_MS + 1)
    assert Receipt(1, 0) == report(spool, b"a")


def test_ids_that_an_older_program_remembered_stay_remembered(
    open_spool: OpenSpool, clock: Clock, tmp_path: Path
) -> None:
    spool = open_spool()
    report(spool, b"a", b"b")
    clock.pass_ms(DAY_MS)
    report(spool, b"c")
    spool.close()
    with closing(sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)) as connection:
        connection.execute("DELETE FROM meta WHERE name = 'lived_ms'")
        # The last one came while the clock was a year ahead.
        connection.execute("UPDATE seen SET at_ms = at_ms + ? WHERE at_ms >= ?", (365 * DAY_MS, clock.now))
    assert Receipt(0, 3) == report(open_spool(), b"a", b"b", b"c")


def test_a_write_that_fails_remembers_none_of_its_ids(spool: Spool) -> None:
    def fail(positions: Sequence[int]) -> bytes:
        raise ValueError("cannot be encoded")

    with pytest.raises(ValueError, match="cannot be encoded"):
        spool.append_new(fail, [b"a"]).result()
    assert Receipt(1, 0) == report(spool, b"a")


def test_a_full_spool_refuses_new_ids_and_takes_them_once_there_is_room(open_spool: OpenSpool) -> None:
    spool = open_spool(max_bytes=4)
    report(spool, b"abc")
    assert spool.has_room()
    report(spool, b"d")
    assert not spool.has_room()
    assert spool.state().full
    with pytest.raises(SpoolFull, match="4 bytes, its limit is 4") as caught:
        report(spool, b"e")
    assert "max_bytes" in caught.value.hint
    assert not open_spool(max_bytes=4).has_room()
    spool = open_spool(max_bytes=4)
    spool.ack(spool.fix(1, b""))
    assert Receipt(1, 0) == report(spool, b"e")


def test_many_threads_with_the_same_ids_get_each_id_taken_exactly_once(spool: Spool, tmp_path: Path) -> None:
    ids = [f"id-{number}".encode() for number in range(400)]
    slices = [[ids[(start + step * 7) % 400] for step in range(60)] for start in range(0, 400, 10)]
    with ThreadPoolExecutor(16) as threads:
        receipts = list(threads.map(lambda some: report(spool, *some), slices))
    assert sorted(ids) == sorted(taken(spool))
    assert len(ids) == sum(receipt.accepted for receipt in receipts)
    assert 40 * 60 == sum(receipt.accepted + receipt.duplicates for receipt in receipts)
    assert in_file(tmp_path) == spool.state()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, DAY_MS), st.lists(st.sampled_from("abcdefgh"), max_size=6)), max_size=12))
def test_what_is_taken_is_what_a_dictionary_of_last_times_says(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[tuple[int, list[str]]]
) -> None:
    clock, since = Clock(), dict[str, int]()
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, "test", max_bytes=10**9, fsync=False, clock_ms=clock, elapsed_s=clock.elapsed_s, seen_days=1)
    try:
        for step, names in bodies:
            clock.pass_ms(step)
            fresh = []
            for name in names:
                if name not in since or since[name] < clock.now - DAY_MS:
                    fresh.append(name)
                since[name] = clock.now
            receipt = report(spool, *(name.encode() for name in names))
            assert Receipt(len(fresh), len(names) - len(fresh)) == receipt
    finally:
        spool.close()


def _remembered(spool: Spool) -> int:
    (row,) = spool._read("SELECT count(*) FROM seen")
    return int(row[0])
