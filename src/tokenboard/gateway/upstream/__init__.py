"""The gateway's way up: a pool of HTTP/1.1 connections to each upstream, whose answers are streamed.

    relay ─▶ Pool.send ─▶ Connection ─▶ Machine (llhttp) ─▶ Exchange ─▶ Response.read_chunk ─▶ relay
                              │
             event loop ─ UpstreamProtocol

The relay decides which upstream gets a request, which headers go along and what a failure means to the client; this
package moves bytes. A `Pool` lends each request one connection. Its `Machine` knows HTTP/1.1 and nothing else: bytes
and the clock go in, what happened and a deadline come out. The `Connection` carries that to the transport and to
whoever waits, with no task and one wake-up for whatever one read has brought; the `Response` hands out each piece as
soon as it is there. When the last byte has arrived the connection is free again, whether or not the answer was read.

What holds: an answer goes to the request it belongs to, or to nobody; `complete` is said only of a message that ended
by its own framing; memory, waiting and time are bounded; no slot is lost, wherever a task is cancelled. What HTTP/1.1
cannot give: an upstream that sends a whole forged answer, after the end of the one before and at the very moment the
next request is written, is not found out; pools are never shared between origins for that reason.

Nothing here logs, reads settings or knows about tokens, keys or models.
"""

from tokenboard.gateway.upstream.bounds import Limits, Timeouts
from tokenboard.gateway.upstream.breaker import Availability, Breaker
from tokenboard.gateway.upstream.errors import (
    ConnectFailed,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    PoolExhausted,
    ResponseBroken,
    UpstreamError,
)
from tokenboard.gateway.upstream.origin import Origin, UnixOrigin
from tokenboard.gateway.upstream.pool import Pool
from tokenboard.gateway.upstream.response import Response
from tokenboard.gateway.upstream.tls import client_context

__all__ = [
    "Availability",
    "Breaker",
    "ConnectFailed",
    "ConnectTimeout",
    "FirstByteTimeout",
    "IdleTimeout",
    "Limits",
    "Origin",
    "Pool",
    "PoolExhausted",
    "Response",
    "ResponseBroken",
    "Timeouts",
    "UnixOrigin",
    "UpstreamError",
    "client_context",
]
