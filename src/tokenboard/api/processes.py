"""What several processes say, as one answer: their counters, and what of their usage is on its way."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tokenboard.api.services import Services
from tokenboard.collector import Uncollected
from tokenboard.control import GatewayState


async def all_counters(services: Services) -> dict[str, int]:
    """Return what the board and every gateway have counted since each started, summed by name.

    Of one on another machine that is as of the last time it was heard.
    """
    total: Counter[str] = Counter(services.counters.read())
    for state in await services.gateways.states():
        total.update(state.counters)
    for counters in services.remotes.counters():
        total.update(counters)
    return dict(sorted(total.items()))


def uncollected(services: Services, states: Sequence[GatewayState]) -> Uncollected:
    """Return what waits in the journals, those of gateways that have just told of theirs and all others."""
    return services.collector.uncollected({state.journal: (state.events, state.bytes) for state in states})


def journal_faults(services: Services, states: Sequence[GatewayState]) -> Mapping[str, str]:
    """Return what is wrong with journals, by their names: what cannot be written, read, or takes no more."""
    faults = {name: f"cannot be collected: {reason}" for name, reason in services.collector.faults().items()}
    for state in states:
        if state.fault is not None:
            fault = state.fault
            faults[state.name] = (
                f"{fault.what}, since {fault.since_ms} (epoch ms): no new requests are taken. {fault.hint}"
            )
        elif state.full:
            faults[state.name] = "full: no new requests are taken"
    return faults
