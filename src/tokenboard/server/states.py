"""The states of one connection, as a table: what the client's bytes are, and where our answer to it stands.

    bytes        IDLE ─▶ HEAD ─▶ BODY ─▶ IDLE …             every one ─▶ DEAF ─▶ ENDED
    answers   WAITING ─▶ ANSWERING ─▶ SENDING ─▶ WAITING …  every one ─▶ LINGERING or CLOSING ─▶ CLOSED

No state is left but by one of the ways listed here: the machine looks each of its steps up.
"""

from enum import IntEnum
from typing import Final


class Inbound(IntEnum):
    """What the next byte from the client belongs to."""

    IDLE = 0
    """No request: the connection is new, or the last one was read in full."""
    HEAD = 1
    """A head that was begun."""
    BODY = 2
    """The body of the request read last."""
    DEAF = 3
    """Nothing that will be read: the last request was, or one was refused."""
    ENDED = 4
    """There is none: the client sends nothing more."""


class Outbound(IntEnum):
    """Where the answer stands."""

    WAITING = 0
    """No request is being answered."""
    ANSWERING = 1
    """The application has a request; nothing of its answer has left."""
    SENDING = 2
    """The head of its answer has left."""
    ANSWERED = 3
    """All of its answer has left, and the rest of its body, which nobody wants, is awaited."""
    LINGERING = 4
    """The last answer has left, and our side is shut; what the client still sends is swallowed until it ends."""
    CLOSING = 5
    """The connection closes behind what is written."""
    CLOSED = 6
    """It is closed."""


INBOUND_WAYS: Final[dict[Inbound, frozenset[Inbound]]] = {
    # A small request is read whole, without a step between; a head that asks for another protocol is read anew.
    Inbound.IDLE: frozenset({Inbound.HEAD, Inbound.BODY, Inbound.DEAF, Inbound.ENDED}),
    Inbound.HEAD: frozenset({Inbound.IDLE, Inbound.BODY, Inbound.DEAF, Inbound.ENDED}),
    Inbound.BODY: frozenset({Inbound.IDLE, Inbound.DEAF, Inbound.ENDED}),
    Inbound.DEAF: frozenset({Inbound.ENDED}),
    Inbound.ENDED: frozenset(),
}

_ENDINGS: Final = frozenset({Outbound.LINGERING, Outbound.CLOSING, Outbound.CLOSED})
OUTBOUND_WAYS: Final[dict[Outbound, frozenset[Outbound]]] = {
    Outbound.WAITING: frozenset({Outbound.ANSWERING}) | _ENDINGS,
    Outbound.ANSWERING: frozenset({Outbound.SENDING, Outbound.ANSWERED, Outbound.WAITING}) | _ENDINGS,
    Outbound.SENDING: frozenset({Outbound.ANSWERED, Outbound.WAITING}) | _ENDINGS,
    Outbound.ANSWERED: frozenset({Outbound.WAITING}) | _ENDINGS,
    Outbound.LINGERING: frozenset({Outbound.CLOSING, Outbound.CLOSED}),
    Outbound.CLOSING: frozenset({Outbound.CLOSED}),
    Outbound.CLOSED: frozenset(),
}

# The same as a set of bits for each state: a step looks at them twice a request.
INBOUND: Final[tuple[int, ...]] = tuple(sum(1 << way for way in INBOUND_WAYS[state]) for state in Inbound)
OUTBOUND: Final[tuple[int, ...]] = tuple(sum(1 << way for way in OUTBOUND_WAYS[state]) for state in Outbound)


class Event(IntEnum):
    """What the driver of a machine is to tell whoever answers `Machine.current`."""

    STARTED = 0
    """It is to be answered now."""
    BODY = 1
    """More of its body has arrived, or its end."""
    LEFT = 2
    """Its client sends nothing more; it may still read."""
    WRITABLE = 3
    """The client keeps up again."""
    PARTED = 4
    """The request is the connection's no more: what is sent from now on goes nowhere."""


class Order(IntEnum):
    """What the driver is to do with the transport, behind what is to be written."""

    NONE = 0
    SHUT = 1
    """End our side, and go on reading."""
    CLOSE = 2
    """Close once all is written."""
    ABORT = 3
    """Close at once."""
    RESET = 4
    """Close at once by a reset, so that the end cannot be taken for an answer's."""
