import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.spool.conftest import append, in_file
from tokenboard.spool import Spool, SpoolFull

OpenSpool = Callable[..., Spool]


def test_an_append_is_on_disk_once_its_receipt_is_there(spool: Spool, tmp_path: Path) -> None:
    for body in (b"a", b"bb"):
        append(spool, body, 2).result()
        assert in_file(tmp_path) == spool.state()
        assert spool.arrived.is_set()
    assert (4, 3) == (spool.state().pending, spool.state().bytes)


def test_many_appends_at_once_keep_their_order_and_none_is_lost(spool: Spool) -> None:
    waiting = [append(spool, b"%d" % number) for number in range(5_000)]
    assert {1} == {one.result().accepted for one in waiting}
    bodies = [parcel.body for parcel in spool.peek(10_000, 10**9)]
    assert [b"%d" % number for number in range(5_000)] == bodies


def test_what_a_journal_holds_is_taken_even_when_the_spool_is_full_as_its_answers_are_given(
    open_spool: OpenSpool,
) -> None:
    spool = open_spool(max_bytes=1)
    spool.collect("journal", "one", after=None, parcels=[(1, b"abc")])
    with pytest.raises(SpoolFull):
        append(spool, b"abc")
    spool.collect("journal", "two", after="one", parcels=[(1, b"abc")])
    assert (2, "two") == (spool.state().pending, spool.cursor("journal"))


def test_closing_commits_what_waits(spool: Spool, tmp_path: Path) -> None:
    with held(tmp_path):
        waiting = [append(spool, b"x") for _ in range(100)]
        closing = threading.Thread(target=spool.close)
        closing.start()
    closing.join()
    assert 100 == sum(receipt.result().accepted for receipt in waiting)
    assert 100 == in_file(tmp_path).pending


def test_a_spool_is_reopened_with_fsync_or_without_and_keeps_its_identity(open_spool: OpenSpool) -> None:
    identity = open_spool(fsync=True).id
    assert identity == open_spool(fsync=False).id


class held:  # noqa: N801 - reads as a phrase
    """Hold the file's write lock, so that what is appended waits."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "test.sqlite", isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()
