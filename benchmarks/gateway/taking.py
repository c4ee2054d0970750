"""One measurement: a proxy under one load, and what everything that takes part uses meanwhile."""

import os
import time
from collections.abc import Sequence

from benchmarks.gateway.client import Load
from benchmarks.gateway.load import LoadMaker
from benchmarks.gateway.process import busy_seconds
from benchmarks.gateway.proxies import Proxy
from benchmarks.gateway.samples import Sample

_CORES = os.cpu_count() or 1


def take(
    maker: LoadMaker,
    proxy: Proxy,
    load: Load,
    upstreams: Sequence[Proxy],
    places: Sequence[frozenset[int] | None] = (),
) -> Sample:
    """Put a proxy in front of ``upstreams`` under load, from ``places`` at once if there are any.

    Raises:
        LoadFailed: the load did not come to its end.

    """
    proxy.prepare()
    behind = [upstream.group.usage() for upstream in upstreams]
    before, machine, ourselves, begun = proxy.group.usage(), busy_seconds(), time.process_time(), time.monotonic()
    outcome = maker.run_on(places, load) if places else maker.run(load)
    busy = proxy.group.usage().since(before)
    served = sum(sum(up.group.usage().since(was).values()) for up, was in zip(upstreams, behind, strict=True))
    ours = sum(busy.values()) + served + outcome.cpu + time.process_time() - ourselves
    others = max(0.0, busy_seconds() - machine - ours) / (time.monotonic() - begun) / _CORES
    proxy.settle()
    return Sample(
        outcome,
        cpu=proxy.group.usage().since(before),
        busy=busy,
        resident=proxy.group.resident(),
        upstream=served,
        others=others,
        elsewhere=proxy.elsewhere,
    )
