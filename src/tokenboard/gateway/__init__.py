"""The data plane: keys, upstream choice, relay, metering.

    request ─▶ attribute (who) ─▶ access (key) ─▶ parse ─▶ choose upstream ─▶ relay ─▶ client
                                                                   meter (how much) ─┴▶ intake

No framework and no task stand between a client's chunk and its upstream's; ``upstream/`` is the HTTP client.
"""

from tokenboard.gateway.board import BoardRelay
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
    "BoardRelay",
    "EchoUpstream",
    "ForwardAttribution",
    "Front",
    "Gateway",
    "HttpUpstream",
    "PassRule",
    "Timeouts",
    "Upstream",
    "UpstreamDialect",
    "UpstreamSpec",
    "Upstreams",
]
