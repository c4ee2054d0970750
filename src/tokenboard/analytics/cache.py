"""Answers kept for as long as nothing that they show has changed."""

from collections.abc import Callable, Hashable
from threading import Condition
from typing import Generic, NamedTuple, TypeVar

from cachetools import LRUCache, cached

from tokenboard.analytics.weight import weight

Answer = TypeVar("Answer")


class _Kept(NamedTuple, Generic[Answer]):
    answer: Answer
    weight: int


class AnswerCache(Generic[Answer]):
    """Answers by stamp and question, each made once: of callers at one time one works, the others wait for it.

    The stamp identifies a state of the data, so an answer of an earlier state is never given again; it is dropped when
    room is needed, the least recently used first. ``room`` is in the unit of ``weigh``, which is given a question and
    its answer: bytes by default, as questions come from callers and take room too. What is heavier than all
    the room is not kept. An error is raised to the caller who met it; the next one tries again. Safe from any thread.
    """

    def __init__(self, room: int, weigh: Callable[[Hashable, Answer], int] | None = None) -> None:
        self._weigh: Callable[[Hashable, Answer], int] = weigh or weight_of_answer
        self._kept: LRUCache[Hashable, _Kept[Answer]] = LRUCache(room, getsizeof=_weight)
        self._changed = Condition()
        self._answer = cached(self._kept, key=_key, condition=self._changed)(self._make)

    def peek(self, stamp: Hashable, question: Hashable) -> Answer | None:
        """Return the answer if it is there; never blocks."""
        with self._changed:
            kept = self._kept.get((stamp, question))
            return None if kept is None else kept.answer

    def get(self, stamp: Hashable, question: Hashable, make: Callable[[], Answer]) -> Answer:
        """Return the answer to a question as of ``stamp``, made by ``make`` when it is not there."""
        kept: _Kept[Answer] = self._answer(stamp, question, make)
        return kept.answer

    def _make(self, stamp: Hashable, question: Hashable, make: Callable[[], Answer]) -> _Kept[Answer]:  # noqa: ARG002
        answer = make()
        return _Kept(answer, self._weigh(question, answer))


OVERHEAD = 500
"""Bytes that an entry of a cache takes beside its key and its value: stamp, links, tables."""


def weight_of_answer(question: Hashable, answer: object) -> int:
    """Return about how many bytes an answer takes that is kept with its question."""
    return weight(question) + weight(answer) + OVERHEAD


def _weight(kept: _Kept[Answer]) -> int:
    return kept.weight


def _key(stamp: Hashable, question: Hashable, make: object) -> Hashable:  # noqa: ARG001
    return stamp, question
