"""Making a connection: name look-up, TCP or a Unix socket, TLS."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from tokenboard.gateway.upstream.origin import Origin, UnixOrigin
from tokenboard.unix_sockets import unix_address


async def dial(
    loop: asyncio.AbstractEventLoop,
    origin: Origin | UnixOrigin,
    protocol: Callable[[], asyncio.Protocol],
    tls: ssl.SSLContext | None,
) -> None:
    """Connect to an origin and hand the transport to a new protocol; raises OSError."""
    if isinstance(origin, UnixOrigin):
        with unix_address(Path(origin.path)) as path:
            await loop.create_unix_connection(protocol, path)
        return
    server_hostname = None if tls is None else origin.host
    await loop.create_connection(protocol, origin.host, origin.port, ssl=tls, server_hostname=server_hostname)
