"""A spool that cannot be written or read says so at once, and notices by itself when it can be again."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.board import wait_for
from tests.spool.conftest import append
from tokenboard.spool import Spool, SpoolUnavailable
from tokenboard.spool.committer import Write


def pragma(spool: Spool, text: str) -> None:
    """Set something of the connection that writes."""
    spool._committer.submit(Write(lambda writer: writer.execute(f"PRAGMA {text}").fetchone(), lambda _: None)).result()


def outcomes(spool: Spool, count: int = 1, size: int = 10) -> list[BaseException | None]:
    """Append so many parcels at once, and return how each of them failed."""
    waiting = [append(spool, b"x" * size) for _ in range(count)]
    return [one.exception() for one in waiting]


@contextmanager
def full(spool: Spool) -> Iterator[None]:
    """Let the file grow no further, as on a disk without room."""
    pragma(spool, "max_page_count = 1")  # SQLite takes the size there is for the least
    yield
    # The connection is the committer's thread's: within its own transactions it would not be asked while it fails.
    spool._committer._connection.execute("PRAGMA max_page_count = 1000000")


@contextmanager
def read_only(spool: Spool) -> Iterator[None]:
    pragma(spool, "query_only = on")
    yield
    spool._committer._connection.execute("PRAGMA query_only = off")


@pytest.mark.parametrize(
    ("trouble", "words", "hint"),
    [(full, "database or disk is full", "Free disk space"), (read_only, "readonly database", "writable again")],
)
def test_the_first_commit_that_fails_is_known_before_anybody_hears_of_it_and_a_probe_ends_it(
    spool: Spool, trouble: Callable[..., object], words: str, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert (True, None) == (spool.sound, spool.state().fault)
    with caplog.at_level(logging.INFO), trouble(spool):  # type: ignore[attr-defined]
        heard: list[bool] = []
        failing = append(spool, b"x" * 100_000)
        failing.add_done_callback(lambda _: heard.append(spool.sound))
        with pytest.raises(SpoolUnavailable) as caught:
            failing.result()
        wait_for(lambda: heard)
        assert ([False], True) == (heard, hint in caught.value.hint)
        fault = spool.state().fault
        assert fault is not None
        assert (True, True) == (words in fault.what, hint in fault.hint)
        failed = outcomes(spool, 50, 100_000)
        assert [SpoolUnavailable] * 50 == [type(error) for error in failed]
    wait_for(lambda: spool.sound)
    assert (None, [None], 1) == (spool.state().fault, outcomes(spool), spool.state().pending)
    assert ["the spool is of no use: new requests are refused", "the spool works again"] == [
        record.message for record in caplog.records
    ]


def test_a_probe_that_fails_leaves_it_closed(spool: Spool) -> None:
    with full(spool):
        outcomes(spool, 1, 100_000)
        for _ in range(3):
            spool._committer._probe()
            assert not spool.sound
    wait_for(lambda: spool.sound)


def test_what_is_wrong_with_one_write_alone_is_no_fault_of_the_file(spool: Spool) -> None:
    def twice(writer: sqlite3.Connection) -> None:
        for _ in range(2):
            writer.execute("INSERT INTO meta (name, value) VALUES ('twice', '')")

    with pytest.raises(SpoolUnavailable):
        spool._committer.submit(Write(twice, lambda _: None)).result()
    assert spool.sound


@pytest.mark.parametrize("table", ["batch", "parcels"])
def test_a_spool_that_cannot_be_read_is_of_no_use_until_the_same_question_is_answered(
    spool: Spool, tmp_path: Path, table: str
) -> None:
    outcomes(spool)
    ask: dict[str, Callable[[], object]] = {"batch": spool.fixed, "parcels": lambda: spool.peek(10, 1_000)}
    other = "parcels" if table == "batch" else "batch"
    file = sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)
    file.execute(f"ALTER TABLE {table} RENAME TO gone")
    with pytest.raises(SpoolUnavailable):
        ask[table]()
    ask[other]()  # what still works tells nothing of what does not
    fault = spool.state().fault
    assert (False, True) == (spool.sound, fault is not None and "cannot be read: no such table" in fault.what)
    file.execute(f"ALTER TABLE gone RENAME TO {table}")
    file.close()
    ask[table]()
    assert spool.sound
