"""Samples of proxies under load, and what they come to over the rounds."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.gateway.client import Outcome
from benchmarks.gateway.plan import WARM_UP


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one proxy: CPU time in seconds, with all it did afterwards; memory in bytes.

    ``busy`` is the share of one core it used while it was asked.
    """

    outcome: Outcome
    cpu: float
    busy: float
    resident: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.outcome.requests / self.outcome.seconds


Samples = Mapping[int, Sample]
"""The samples of one proxy under one load, by round."""


class Results:
    """All samples, by load and proxy."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str], dict[int, Sample]] = {}

    def add(self, load: str, proxy: str, number: int, sample: Sample) -> None:
        """Keep a sample of round ``number``."""
        self._samples.setdefault((load, proxy), {})[number] = sample

    def of(self, load: str, proxy: str) -> Samples:
        """Return a proxy's samples; none when it was not measured."""
        samples = self._samples.get((load, proxy), {})
        return {number: sample for number, sample in samples.items() if number != WARM_UP}

    def median(self, load: str, proxy: str, what: Callable[[Sample], float]) -> float | None:
        """Return the median over the rounds."""
        return _median(map(what, self.of(load, proxy).values()))

    def compared(self, load: str, ours: str, theirs: str, what: Callable[[Sample, Sample], float]) -> float | None:
        """Return the median of what two proxies' samples of the same round give."""
        left, right = self.of(load, ours), self.of(load, theirs)
        return _median(what(left[number], right[number]) for number in left.keys() & right.keys())

    def answered(self, proxy: str) -> int:
        """Return how many requests of all loads were answered."""
        return sum(sample.outcome.requests for sample in self._all_of(proxy))

    def failed(self, proxy: str) -> int:
        """Return how many were not."""
        return sum(sample.outcome.failed for sample in self._all_of(proxy))

    def _all_of(self, proxy: str) -> Iterator[Sample]:
        return (sample for (_, name), samples in self._samples.items() if name == proxy for sample in samples.values())


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None
