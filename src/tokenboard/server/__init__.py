"""HTTP/1.1 for any ASGI 3 application: what a client may send, how much, how slowly, and in which order it is answered.

    bytes ─▶ connection ─▶ llhttp, strict ─▶ head ─▶ exchange ─▶ application
      ▲          │ clock, limits               │                  │ receive, send
      └──────────┴◀──────── refusal ◀──────────┘◀─── response ◀───┘

It knows ASGI and nothing of the board. A request is answered by the application, or refused by the server and its
connection closed; nothing that two parsers could read in two ways is handed on (RFC 9112 section 11.2).
"""

from tokenboard.server.exchange import App
from tokenboard.server.limits import Limits
from tokenboard.server.refusal import Render
from tokenboard.server.server import HttpServer

__all__ = ["App", "HttpServer", "Limits", "Render"]
