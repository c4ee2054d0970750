"""Answers kept for as long as nothing that they show has changed."""

from collections.abc import Callable, Hashable
from dataclasses import fields
from threading import Condition
from typing import Any, Generic, TypeVar

from cachetools import LRUCache, cached

Answer = TypeVar("Answer")


class AnswerCache(Generic[Answer]):
    """Answers by stamp and question, each made once: of callers at one time one works, the others wait for it.

    The stamp tells states of the data apart, so an answer of an earlier state is never given again; it is dropped when
    room is needed, the least recently used first. ``room`` is in the unit of ``weigh``, the weight of one answer; one
    that is heavier than all the room is not kept. An error is raised to the caller who met it; the next one tries
    again. Safe from any thread.
    """

    def __init__(self, room: int, weigh: Callable[[Answer], int]) -> None:
        self._kept: LRUCache[Hashable, Answer] = LRUCache(room, getsizeof=weigh)
        self._changed = Condition()
        self._answer = cached(self._kept, key=_key, condition=self._changed)(_make)

    def peek(self, stamp: Hashable, question: Hashable) -> Answer | None:
        """Return the answer if it is there; waits for nobody."""
        with self._changed:
            return self._kept.get((stamp, question))

    def get(self, stamp: Hashable, question: Hashable, make: Callable[[], Answer]) -> Answer:
        """Return the answer to a question as of ``stamp``, made by ``make`` when it is not there."""
        answer: Answer = self._answer(stamp, question, make)
        return answer


def rows_of(answer: Any) -> int:
    """Weigh an answer in rows: what is in its tuples, and one for itself."""
    if answer is None or isinstance(answer, tuple):
        return 1 + len(answer or ())
    parts = (getattr(answer, each.name) for each in fields(answer))
    return 1 + sum(len(part) for part in parts if isinstance(part, tuple))


def _key(stamp: Hashable, question: Hashable, make: object) -> Hashable:  # noqa: ARG001
    return stamp, question


def _make(stamp: Hashable, question: Hashable, make: Callable[[], Answer]) -> Answer:  # noqa: ARG001
    return make()
