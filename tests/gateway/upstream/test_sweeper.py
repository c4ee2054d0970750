import asyncio
import math
from collections.abc import Callable
from typing import cast

import pytest

from tokenboard.gateway.upstream import Limits, Timeouts
from tokenboard.gateway.upstream.pool import tick_of
from tokenboard.gateway.upstream.sweeper import Expiring, Sweeper


class Clock:
    """Stands in for an event loop's clock, and goes as it is told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[..., None], tuple[object, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., None], *args: object) -> object:
        self.timers.append((when, callback, args))
        return object()

    def go_to(self, now: float) -> None:
        self.now = now
        due = [timer for timer in self.timers if timer[0] <= now]
        self.timers = [timer for timer in self.timers if timer[0] > now]
        for _, callback, args in due:
            callback(*args)


class Member:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired: list[float] = []

    def expire(self, now: float) -> None:
        self.deadline = math.inf
        self.expired.append(now)


def started(members: list[Member]) -> Clock:
    clock = Clock()
    Sweeper(cast("list[Expiring]", members), 1.0).start(cast("asyncio.AbstractEventLoop", clock))
    return clock


def test_only_what_has_passed_its_deadline_expires_and_once() -> None:
    early, late, never = members = [Member(100.5), Member(102.0), Member(math.inf)]
    clock = started(members)
    for now in (101.0, 102.0, 103.0):
        clock.go_to(now)
    assert ([101.0], [102.0], []) == (early.expired, late.expired, never.expired)


def test_after_a_hold_up_the_sockets_have_one_tick_to_be_read_but_not_two() -> None:
    member = Member(100.5)
    clock = started([member])
    clock.go_to(103.0)
    assert [] == member.expired
    clock.go_to(106.0)
    assert [106.0] == member.expired


def test_it_rests_when_there_is_nobody_left() -> None:
    members = [Member(math.inf)]
    clock = started(members)
    clock.go_to(101.0)
    assert 1 == len(clock.timers)
    members.clear()
    clock.go_to(102.0)
    assert [] == clock.timers


@pytest.mark.parametrize(("shortest", "tick"), [(0.01, 0.005), (1.0, 0.125), (600.0, 0.5), (math.inf, 0.5)])
def test_a_tick_is_an_eighth_of_the_shortest_timeout_within_bounds(shortest: float, tick: float) -> None:
    limits = Limits(max_connections=1, max_idle=1, idle_keepalive_s=math.inf)
    assert tick == tick_of(limits, Timeouts(connect_s=1.0, first_byte_s=shortest, idle_s=math.inf))
