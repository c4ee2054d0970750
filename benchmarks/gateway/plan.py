"""What every proxy is put through in a round, how many rounds there are, and which proxies take part."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.gateway.client import Load
from benchmarks.gateway.proxies import Proxy

OURS = "tokenboard"
PROXIES = ("nginx", OURS, "TensorZero", "Portkey", "LiteLLM")
"""All proxies that may take part, in the order of the rows."""
ROUNDS = 5
WARM_UP = -1
"""The round before the first: it counts for nothing, but its answers must be recorded as well."""
CONNECTIONS = 16
STEADY_CONNECTIONS = 64
STEADY_RATE = 1_000
"""Requests/s of the open loop."""
PROMPT_BYTES = 20_000
"""Bytes of a long prompt: a few files of source, or a chat that has gone on for a while."""
_STREAMS = 2
_LONG_S = 3
"""Seconds of the loads that the work done behind the answers is meant to disturb: a delivery comes every second."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds are measured, and with which proxies."""

    rounds: int = ROUNDS
    proxies: tuple[str, ...] = PROXIES

    def told(self) -> str:
        """Return what a table says of how many rounds there are."""
        return "one round" if self.rounds == 1 else f"{self.rounds} rounds"

    def numbers(self) -> range:
        """Return the numbers of all rounds, that of the warm-up first."""
        return range(WARM_UP, self.rounds)

    def step(self, number: int) -> str:
        """Return what is said once a round is over."""
        return "warm-up" if number == WARM_UP else f"round {number + 1} of {self.rounds}"

    def slow_rounds(self) -> range:
        """Return the rounds in which the slow proxies take part."""
        return range(0, self.rounds, 2)

    def takes_part(self, proxy: Proxy, number: int) -> bool:
        """Whether a proxy is measured in a round."""
        return not proxy.slow or number == WARM_UP or number in self.slow_rounds()


def chosen(text: str) -> tuple[str, ...]:
    """Return the proxies that a text names, in any case, separated by spaces or commas.

    Raises:
        ValueError: it names none, or one that there is not.

    """
    asked = text.replace(",", " ").lower().split()
    known = {name.lower() for name in PROXIES}
    if unknown := [name for name in asked if name not in known]:
        raise ValueError(f"there is no proxy {unknown[0]!r}; there are: {', '.join(PROXIES)}")
    if not asked:
        raise ValueError(f"no proxy is named; there are: {', '.join(PROXIES)}")
    return tuple(name for name in PROXIES if name.lower() in asked)


def loads(proxy: Proxy) -> Iterator[tuple[str, Load]]:
    """Return the loads of one round, with their names."""
    yield "answer", proxy.load("closed", CONNECTIONS, seconds=_LONG_S)
    yield "prompt", proxy.load("closed", CONNECTIONS, seconds=2 if proxy.slow else 1, prompt_bytes=PROMPT_BYTES)
    yield "alone", proxy.load("closed", 1, seconds=1)
    yield "stream", proxy.load("streams", 1, streams=_STREAMS)
    if not proxy.slow:
        yield "steady", proxy.load("open", STEADY_CONNECTIONS, seconds=_LONG_S, rate=STEADY_RATE)
