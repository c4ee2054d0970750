"""When an origin counts as away."""

from hypothesis import given
from hypothesis import strategies as st

from tokenboard.gateway.upstream import Availability, Breaker
from tokenboard.gateway.upstream.breaker import FAILURES, OPEN_S


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def away(clock: Clock, *, in_time: bool = False) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed(in_time=in_time)
    return breaker


def test_fewer_failures_than_the_limit_change_nothing() -> None:
    breaker = Breaker(Clock())
    for _ in range(FAILURES - 1):
        breaker.failed(in_time=False)
    assert Availability.READY is breaker.availability()


def test_failures_must_follow_each_other() -> None:
    breaker = Breaker(Clock())
    for _ in range(3 * FAILURES):
        breaker.failed(in_time=False)
        breaker.worked()
    assert Availability.READY is breaker.availability()


def test_an_origin_that_is_away_is_told_by_how_its_last_attempt_failed() -> None:
    assert Availability.SILENT is away(Clock()).availability()
    assert Availability.REFUSING is away(Clock(), in_time=True).availability()


def test_one_caller_looks_whether_it_has_come_back_and_then_one_each_time_anew() -> None:
    clock = Clock()
    breaker = away(clock)
    clock.now += OPEN_S
    assert [Availability.READY, Availability.SILENT, Availability.SILENT] == [breaker.availability() for _ in range(3)]
    clock.now += OPEN_S  # that caller never told what became of it
    assert [Availability.READY, Availability.SILENT] == [breaker.availability() for _ in range(2)]
    breaker.failed(in_time=True)
    assert Availability.REFUSING is breaker.availability()


def test_one_success_makes_it_ready_for_everybody() -> None:
    breaker = away(Clock())
    breaker.worked()
    assert [Availability.READY] * 5 == [breaker.availability() for _ in range(5)]


@given(st.lists(st.sampled_from(["made", "refused", "late", "wait", "ask"]), max_size=60))
def test_it_agrees_with_the_history_looked_through_from_its_end(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    history: list[tuple[str, float]] = []
    for step in steps:
        if step == "wait":
            clock.now += OPEN_S / 2
        elif step == "made":
            breaker.worked()
        elif step in {"refused", "late"}:
            breaker.failed(in_time=step == "refused")
        else:
            told = breaker.availability()
            row = []
            for what, _ in reversed([entry for entry in history if entry[0] != "ready"]):
                if what == "made":
                    break
                row.append(what)
            since = max((at for what, at in history if what in {"ready", "refused", "late"}), default=0.0)
            if len(row) < FAILURES:
                assert Availability.READY is told
                continue
            expected = Availability.SILENT if row[0] == "late" else Availability.REFUSING
            assert (Availability.READY if clock.now >= since + OPEN_S else expected) is told
            if told is Availability.READY:
                history.append(("ready", clock.now))
        if step in {"made", "refused", "late"}:
            history.append((step, clock.now))
