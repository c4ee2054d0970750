"""What every proxy is put through in a round."""

from collections.abc import Iterator

from benchmarks.gateway.client import Load
from benchmarks.gateway.dialogue import PROMPT_BYTES
from benchmarks.gateway.proxies import Proxy

ROUNDS = 5
WARM_UP = -1
"""The round before the first: it counts for nothing, but its answers must be recorded as well."""
SLOW_ROUNDS = range(0, ROUNDS, 2)
CONNECTIONS = 16
STEADY_CONNECTIONS = 64
STEADY_RATE = 1_000
"""Requests/s of the open loop."""
_STREAMS = 2


def takes_part(proxy: Proxy, number: int) -> bool:
    """Whether a proxy is measured in a round."""
    return not proxy.slow or number == WARM_UP or number in SLOW_ROUNDS


def loads(proxy: Proxy) -> Iterator[tuple[str, Load]]:
    """Return the loads of one round, with their names."""
    seconds = 2 if proxy.slow else 1
    yield "answer", proxy.load("closed", CONNECTIONS, seconds=seconds)
    yield "prompt", proxy.load("closed", CONNECTIONS, seconds=seconds, prompt_bytes=PROMPT_BYTES)
    yield "alone", proxy.load("closed", 1, seconds=1)
    yield "stream", proxy.load("streams", 1, streams=_STREAMS)
    if not proxy.slow:
        yield "steady", proxy.load("open", STEADY_CONNECTIONS, seconds=1, rate=STEADY_RATE)
