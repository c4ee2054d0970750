"""The rate_limits: two limits that a question must both have room in before it counts in either."""

from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, Protocol

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from tokenboard.rate_limits.counts import Counts

_LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a question may be answered, and how the limit that is nearest its end stands.

    ``limit`` questions are allowed in the window, ``remaining`` are left; it ends at ``reset_s``, UTC epoch seconds.
    ``wait_s`` is None when the question may be answered, else how long to wait, at least 1. ``window`` names the
    limit: ``minute`` (per key) or ``day`` (per account).
    """

    limit: int
    remaining: int
    reset_s: int
    wait_s: int | None
    window: str


class RateLimiter(Protocol):
    """Counts questions, for one board or for several."""

    async def take(self, *, key_id: int, account_id: int) -> Verdict | None:
        """Count one question of a key and its account, if both may still ask; None when nothing is limited."""


class Window(NamedTuple):
    """A window under way: ``limit`` questions of ``subject`` until ``ends_s``, UTC epoch seconds."""

    name: str
    subject: str
    limit: int
    ends_s: int


class RateLimits:
    """Counts questions; a refused one counts nowhere. 0 switches a limit off. Safe from any thread; waits for no disk.

    Windows are the minute of the clock and the UTC day. All keys of an account share its day, so a new key gives no
    new day.
    """

    def __init__(self, counts: Counts, *, per_minute: int, per_day: int) -> None:
        self._counts = counts
        self._limiter = FixedWindowRateLimiter(counts)
        self._lock = Lock()
        self._minute = RateLimitItemPerMinute(min(per_minute, _LARGEST)) if per_minute else None
        self._day = RateLimitItemPerDay(min(per_day, _LARGEST)) if per_day else None

    async def take(self, *, key_id: int, account_id: int) -> Verdict | None:
        """Count one question of a key and its account, if both may still ask; None when nothing is limited."""
        return self.take_now(key_id=key_id, account_id=account_id)

    def windows(self, *, key_id: int, account_id: int) -> list[Window]:
        """Return the windows that a question of a key and its account falls into now."""
        now = self.now_s()
        return [
            Window(name, subject, item.amount, now - now % item.get_expiry() + item.get_expiry())
            for item, subject, name in self._limits(key_id, account_id)
        ]

    def now_s(self) -> int:
        """Return the present time, UTC epoch seconds."""
        return self._counts.now_s()

    def take_now(self, *, key_id: int, account_id: int) -> Verdict | None:
        """Do as `take` does, for callers that have no event loop."""
        limits = self._limits(key_id, account_id)
        if not limits:
            return None
        with self._lock:
            full = [each for each in limits if not self._limiter.test(each[0], each[1])]
            if not full:
                for item, subject, _ in limits:
                    self._limiter.hit(item, subject)
            now = self._counts.now_s()
            verdicts = [self._verdict(*each, now=now, refused=bool(full)) for each in full or limits]
        # Refused by both, the longer wait counts; else the limit with the least left is reported.
        return max(verdicts, key=lambda each: each.reset_s) if full else min(verdicts, key=lambda each: each.remaining)

    def close(self) -> None:
        """Close the file of the counts."""
        self._counts.close()

    def _limits(self, key_id: int, account_id: int) -> list[tuple[RateLimitItem, str, str]]:
        limits: list[tuple[RateLimitItem, str, str]] = []
        if self._minute is not None:
            limits.append((self._minute, f"key-{key_id}", "minute"))
        if self._day is not None:
            limits.append((self._day, f"account-{account_id}", "day"))
        return limits

    def _verdict(self, item: RateLimitItem, subject: str, window: str, *, now: int, refused: bool) -> Verdict:
        reset, remaining = self._limiter.get_window_stats(item, subject)
        wait = max(int(reset) - now, 1) if refused else None
        return Verdict(item.amount, max(remaining, 0), int(reset), wait, window)
