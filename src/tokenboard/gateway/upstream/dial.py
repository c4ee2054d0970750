"""Making a connection: name look-up, TCP or a Unix socket, TLS."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Iterator
from typing import Final

from tokenboard.gateway.upstream.origin import Origin, UnixOrigin

_LONGEST_ADDRESS: Final = 107
"""Bytes of a path that fit into a Unix socket's address, less its final NUL (unix(7): sun_path)."""


async def dial(
    loop: asyncio.AbstractEventLoop,
    origin: Origin | UnixOrigin,
    protocol: Callable[[], asyncio.Protocol],
    tls: ssl.SSLContext | None,
) -> None:
    """Connect to an origin and hand the transport to a new protocol; raises OSError."""
    if isinstance(origin, UnixOrigin):
        with _address(origin.path) as path:
            await loop.create_unix_connection(protocol, path)
        return
    server_hostname = None if tls is None else origin.host
    await loop.create_connection(protocol, origin.host, origin.port, ssl=tls, server_hostname=server_hostname)


@contextlib.contextmanager
def _address(path: str) -> Iterator[str]:
    """Give a path of the same socket that is short enough, by way of its open folder where Linux has it."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS or not hasattr(os, "O_PATH"):
        yield path
        return
    folder, name = os.path.split(path)
    opened = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{opened}/{name}"
    finally:
        os.close(opened)
