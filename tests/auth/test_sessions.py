"""Sessions end for good: by hand, by time, by being too many; and what is ended is ended after a restart."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.auth import LASTS_S, Sessions
from tokenboard.auth.sessions import MAX_PER_KEY
from tokenboard.problem import Problem

KEYS = (b"k" * 32, b"l" * 32)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_700_000_000

    def __call__(self) -> int:
        return self.now_s * 1000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


def test_what_is_open_and_what_is_ended_outlives_a_restart(file: Path) -> None:
    clock = Clock()
    with closing(Sessions(file, clock)) as sessions:
        kept, ended = sessions.begin(KEYS[0]), sessions.begin(KEYS[0])
        sessions.end(ended)
        assert (KEYS[0], None) == (sessions.key_of(kept), sessions.key_of(ended))
    with closing(Sessions(file, clock)) as sessions:
        assert (KEYS[0], None) == (sessions.key_of(kept), sessions.key_of(ended))


def test_the_file_holds_no_token_and_is_its_owners_alone(file: Path) -> None:
    with closing(Sessions(file, Clock())) as sessions:
        token = sessions.begin(KEYS[0])
    assert token.encode() not in file.read_bytes()
    assert 0o600 == file.stat().st_mode & 0o777


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("begin"), st.integers(0, 1)),
            st.tuples(st.just("end"), st.integers(0, 30)),
            st.tuples(st.just("wait"), st.integers(0, LASTS_S)),
        ),
        max_size=30,
    )
)
def test_a_session_is_open_from_its_beginning_until_it_ends(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    sessions = Sessions(None, clock)
    begun: list[tuple[str, bytes, int]] = []
    ended: set[str] = set()
    for step, number in steps:
        if step == "begin":
            begun.append((sessions.begin(KEYS[number]), KEYS[number], clock.now_s))
        elif step == "end":
            token = begun[number][0] if number < len(begun) else "none of ours"
            sessions.end(token)
            ended.add(token)
        else:
            clock.now_s += number
        for token, key, since in begun:
            lasts = clock.now_s < since + LASTS_S and token not in ended
            assert (key if lasts else None) == sessions.key_of(token)


def test_a_key_has_so_many_sessions_and_one_more_ends_its_oldest(file: Path) -> None:
    clock = Clock()
    with closing(Sessions(file, clock)) as sessions:
        other = sessions.begin(KEYS[1])
        tokens = [sessions.begin(KEYS[0]) for _ in range(MAX_PER_KEY + 3)]
        assert [None] * 3 == [sessions.key_of(token) for token in tokens[:3]]
        assert {KEYS[0]} == {sessions.key_of(token) for token in tokens[3:]}
        assert KEYS[1] == sessions.key_of(other)
        with closing(sqlite3.connect(file)) as database:
            assert (MAX_PER_KEY + 1,) == database.execute("SELECT count(*) FROM sessions").fetchone()


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "\ud800", "é"])
def test_what_is_no_token_opens_and_ends_nothing(token: str) -> None:
    sessions = Sessions(None, Clock())
    kept = sessions.begin(KEYS[0])
    sessions.end(token)
    assert (None, KEYS[0]) == (sessions.key_of(token), sessions.key_of(kept))


def test_a_damaged_file_begins_anew_and_all_sessions_have_ended(file: Path) -> None:
    file.write_bytes(b"no database" * 1_000)
    with closing(Sessions(file, Clock())) as sessions:
        assert KEYS[0] == sessions.key_of(sessions.begin(KEYS[0]))


def test_an_end_that_cannot_be_stored_is_told_and_holds_until_the_restart(file: Path) -> None:
    clock = Clock()
    with closing(Sessions(file, clock)) as sessions:
        token = sessions.begin(KEYS[0])
        with closing(sqlite3.connect(file)) as database:
            database.execute("DROP TABLE sessions")
        with pytest.raises(Problem, match="could not be stored") as told:
            sessions.end(token)
        assert 503 == told.value.status
        assert sessions.key_of(token) is None
