"""The data plane: keys, upstream choice, relay, metering.

    request ─▶ attribute (who) ─▶ auth (key) ─▶ parse ─▶ choose upstream ─▶ relay ─▶ client
                                                                 meter (how much) ─┴▶ intake

No web framework and no asyncio task lie between the upstream's chunk and the client's; ``upstream/`` is the HTTP
client.
"""

from tokenboard.gateway.board import BoardRelay, FarBoard
from tokenboard.gateway.board_line import BoardLine, BoardUnreached, Reply, origin_of
from tokenboard.gateway.echo import ECHO_MODEL, EchoUpstream
from tokenboard.gateway.front import Front
from tokenboard.gateway.gateway import BASES, Gateway
from tokenboard.gateway.headers import ForwardAttribution
from tokenboard.gateway.passthrough import PassRule
from tokenboard.gateway.upstream import Timeouts
from tokenboard.gateway.upstreams import HttpUpstream, Upstream, UpstreamDialect, Upstreams, UpstreamSpec

__all__ = [
    "BASES",
    "ECHO_MODEL",
    "BoardLine",
    "BoardRelay",
    "BoardUnreached",
    "EchoUpstream",
    "FarBoard",
    "ForwardAttribution",
    "Front",
    "Gateway",
    "HttpUpstream",
    "PassRule",
    "Reply",
    "Timeouts",
    "Upstream",
    "UpstreamDialect",
    "UpstreamSpec",
    "Upstreams",
    "origin_of",
]
