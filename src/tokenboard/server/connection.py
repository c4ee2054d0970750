"""The server's end of asyncio's transports: every callback is one call."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from tokenboard.server.link import Link

if TYPE_CHECKING:
    from tokenboard.server.head import Address
    from tokenboard.server.service import Service


class Connection(asyncio.Protocol):
    """The protocol of one connection. ``links`` are those open at a server, whose limit of connections is kept here.

    With ``peer_told`` the clients are named by requests, and not by the transport.
    """

    __slots__ = ("_limit", "_link", "_links", "_peer_told", "data_received")

    def __init__(self, service: "Service", links: set[Link], *, peer_told: bool) -> None:
        self._link = Link(service, peer_told=peer_told)
        self._links = links
        self._limit = service.common.limits.max_connections
        self._peer_told = peer_told
        # As an attribute, what is called for every read is the link's own method, without another one before it.
        self.data_received = self._link.received  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand over the transport; one above the limit is told so at once."""
        link, links = self._link, self._links
        client = None if self._peer_told else _address(transport, "peername")
        link.made(cast("asyncio.Transport", transport), client, _address(transport, "sockname"))
        links.add(link)
        above = len(links) - self._limit
        if above > max(16, self._limit // 8):
            link.abort()  # not even an error response is free
        elif above > 0:
            link.turn_away()

    def eof_received(self) -> bool:
        """Carry their end; True keeps the transport open, which is closed from here."""
        self._link.ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        """Carry the loss."""
        self._links.discard(self._link)
        self._link.lost()

    def pause_writing(self) -> None:
        """Carry that the client does not keep up."""
        self._link.held_up()

    def resume_writing(self) -> None:
        """Carry that it does again."""
        self._link.writable()


def _address(transport: asyncio.BaseTransport, which: str) -> "Address | None":
    address: Any = transport.get_extra_info(which)
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None
