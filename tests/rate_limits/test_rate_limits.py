import contextlib
import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tokenboard.rate_limits import Counts, RateLimits, Verdict

MIDNIGHT_S = 1_800_057_600
"""2027-01-16T00:00:00Z."""


class Clock:
    def __init__(self, now_s: float = MIDNIGHT_S) -> None:
        self.now_s = now_s

    def __call__(self) -> int:
        return int(self.now_s * 1000)


def rate_limits(file: Path | None, clock: Clock, *, per_minute: int = 0, per_day: int = 0) -> RateLimits:
    return RateLimits(Counts(file, clock), per_minute=per_minute, per_day=per_day)


def take(allowed: RateLimits, key_id: int = 1, account_id: int = 1) -> Verdict:
    verdict = allowed.take_now(key_id=key_id, account_id=account_id)
    assert verdict is not None
    return verdict


def test_without_limits_nothing_is_counted() -> None:
    assert rate_limits(None, Clock()).take_now(key_id=1, account_id=1) is None


def test_a_key_asks_so_often_a_minute_of_the_clock_and_no_more() -> None:
    clock = Clock(MIDNIGHT_S + 15.5)
    allowed = rate_limits(None, clock, per_minute=2)
    assert Verdict(2, 1, MIDNIGHT_S + 60, None, "minute") == take(allowed)
    assert Verdict(2, 0, MIDNIGHT_S + 60, None, "minute") == take(allowed)
    assert Verdict(2, 0, MIDNIGHT_S + 60, 45, "minute") == take(allowed)
    clock.now_s = MIDNIGHT_S + 59.999
    assert 1 == take(allowed).wait_s
    clock.now_s = MIDNIGHT_S + 60
    assert Verdict(2, 1, MIDNIGHT_S + 120, None, "minute") == take(allowed)


def test_all_keys_of_an_account_share_its_day_and_two_accounts_share_nothing() -> None:
    allowed = rate_limits(None, Clock(), per_day=2)
    assert [1, 0] == [take(allowed, key_id=key).remaining for key in (1, 2)]
    assert (86_400, "day") == (take(allowed, key_id=3).wait_s, take(allowed, key_id=3).window)
    assert take(allowed, key_id=4, account_id=2).wait_s is None


def test_the_day_is_the_utc_day() -> None:
    clock = Clock(MIDNIGHT_S + 86_399)
    allowed = rate_limits(None, clock, per_day=1)
    assert take(allowed).wait_s is None
    assert 1 == take(allowed).wait_s
    clock.now_s = MIDNIGHT_S + 86_400
    assert take(allowed).wait_s is None


def test_a_refused_question_counts_nowhere() -> None:
    clock = Clock()
    allowed = rate_limits(None, clock, per_minute=1, per_day=3)
    take(allowed)
    for _ in range(5):
        assert "minute" == take(allowed).window
    clock.now_s += 60
    assert take(allowed).wait_s is None
    clock.now_s += 60
    assert take(allowed).wait_s is None
    assert "day" == take(allowed).window


def test_the_limit_with_the_least_left_is_told() -> None:
    allowed = rate_limits(None, Clock(), per_minute=30, per_day=2)
    verdict = take(allowed)
    assert (2, 1, "day") == (verdict.limit, verdict.remaining, verdict.window)


def test_counts_outlive_the_process_within_their_window(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "limits.sqlite"
    counts = Counts(file, clock)
    first = RateLimits(counts, per_minute=0, per_day=2)
    take(first)
    take(first)
    assert counts.flush()
    again = rate_limits(file, clock, per_day=2)  # the first was not closed: it was killed
    assert take(again).wait_s is not None
    clock.now_s += 86_400
    assert take(rate_limits(file, clock, per_day=2)).wait_s is None


def test_counts_of_windows_that_ended_are_forgotten_on_disk_too(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "limits.sqlite"
    allowed = rate_limits(file, clock, per_minute=5, per_day=5)
    for account in range(10):
        take(allowed, account_id=account)
    clock.now_s += 86_400
    take(allowed)
    allowed.close()
    with sqlite3.connect(file) as database:
        assert [(1,)] == database.execute("SELECT count(*) FROM counts").fetchall()
    database.close()


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "limits.sqlite"
    file.write_bytes(b"this is no database, and it is long enough to be looked at" * 100)
    allowed = rate_limits(file, Clock(), per_day=1)
    assert take(allowed).wait_s is None
    allowed.close()
    assert take(rate_limits(file, Clock(), per_day=1)).wait_s is not None


def test_counting_goes_on_when_the_file_cannot_be_written(tmp_path: Path) -> None:
    counts = Counts(tmp_path / "limits.sqlite", Clock())
    allowed = RateLimits(counts, per_minute=0, per_day=2)
    with sqlite3.connect(tmp_path / "limits.sqlite") as other:
        other.execute("DROP TABLE counts")
    other.close()
    assert [None, None] == [take(allowed).wait_s for _ in range(2)]
    assert take(allowed).wait_s is not None
    assert counts.flush()
    assert not counts.check()


def test_counting_waits_for_nobody_who_holds_the_file_and_is_written_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "limits.sqlite"
    allowed = rate_limits(file, Clock(), per_day=500)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(100):
            take(allowed)
        # Nothing of it is on disk, and nobody waited for that.
        assert [(0,)] == other.execute("SELECT count(*) FROM counts").fetchall()
        other.execute("ROLLBACK")
    take(allowed)
    allowed.close()
    assert 500 - 102 == take(rate_limits(file, Clock(), per_day=500)).remaining


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3), st.integers(1, 2)), max_size=60),
    st.integers(0, 3),
    st.integers(0, 8),
)
def test_no_window_ever_lets_more_through_than_its_limit_nor_fewer(
    steps: list[tuple[int, int, int]], per_minute: int, per_day: int
) -> None:
    clock = Clock()
    allowed = rate_limits(None, clock, per_minute=per_minute, per_day=per_day)
    let_through: list[tuple[int, int, int]] = []
    for pause, key, account in steps:
        clock.now_s += pause
        now = int(clock.now_s)
        in_minute = sum(then // 60 == now // 60 and who == key for then, who, _ in let_through)
        in_day = sum(then // 86_400 == now // 86_400 and whose == account for then, _, whose in let_through)
        expected = (not per_minute or in_minute < per_minute) and (not per_day or in_day < per_day)
        verdict = allowed.take_now(key_id=key, account_id=account)
        assert expected == (verdict is None or verdict.wait_s is None)
        if expected:
            let_through.append((now, key, account))
