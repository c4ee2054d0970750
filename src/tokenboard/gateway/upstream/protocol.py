"""What an event loop wants of a connection: an `asyncio.Protocol` that does nothing but pass on.

Never compiled, as its base class is asyncio's own.
"""

import asyncio
from typing import cast

from tokenboard.gateway.upstream.connection import Connection


class UpstreamProtocol(asyncio.Protocol):
    """The adapter between a transport and its `Connection`."""

    __slots__ = ("_connection", "data_received")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # As an attribute, what is called for every read is the connection's own method, without another one before it.
        self.data_received = connection.received  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand over the transport."""
        self._connection.made(cast("asyncio.Transport", transport))

    def eof_received(self) -> None:
        """Tell of the end of the stream."""
        self._connection.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell of the loss of the connection."""
        self._connection.lost(exc)

    def pause_writing(self) -> None:
        """Tell that the transport takes no more for now."""
        self._connection.writing_is_held_up()

    def resume_writing(self) -> None:
        """Tell that it does again."""
        self._connection.writing_goes_on()
