"""Samples of proxies under load, and what they come to over the rounds."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.gateway.client import Outcome
from benchmarks.gateway.plan import WARM_UP


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one proxy, by the roles of its processes.

    ``cpu`` is in seconds, with all it did afterwards for what it had answered; ``busy`` while it was asked alone;
    ``resident`` in bytes. ``upstream`` is the upstream's CPU time in seconds; ``others`` the share of the machine that
    processes took which have no part in this. Roles ``elsewhere`` are not on the core of the proxies.
    """

    outcome: Outcome
    cpu: Mapping[str, float]
    busy: Mapping[str, float]
    resident: Mapping[str, int]
    upstream: float = 0
    others: float = 0
    elsewhere: frozenset[str] = frozenset()

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.outcome.requests / self.outcome.seconds

    @property
    def per_request(self) -> float:
        """CPU seconds of all processes for one request."""
        return sum(self.cpu.values()) / self.outcome.requests

    @property
    def core(self) -> float:
        """The share of the proxies' core that was in use."""
        return sum(busy for role, busy in self.busy.items() if role not in self.elsewhere) / self.outcome.seconds

    @property
    def other_core(self) -> float:
        """The share of the other core that load, upstream, and what of the proxy is not on its own core used."""
        apart = sum(busy for role, busy in self.busy.items() if role in self.elsewhere)
        return (apart + self.upstream + self.outcome.cpu) / self.outcome.seconds

    @property
    def roles(self) -> frozenset[str]:
        """The roles of its processes."""
        return frozenset(self.resident)


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

    def others(self) -> float:
        """Return the median share of the machine that was not ours."""
        return _median(sample.others for sample in self._all_of(None)) or 0.0

    def answered(self, proxy: str) -> int:
        """Return how many requests of all loads were answered."""
        return sum(sample.outcome.requests for sample in self._all_of(proxy))

    def failed(self, proxy: str | None = None) -> int:
        """Return how many were not, of one proxy or of all."""
        return sum(sample.outcome.failed for sample in self._all_of(proxy))

    def _all_of(self, proxy: str | None) -> Iterator[Sample]:
        for (_, name), samples in self._samples.items():
            if proxy is None or name == proxy:
                yield from samples.values()


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None
