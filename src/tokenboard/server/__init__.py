"""HTTP/1.1 for an ASGI 3 application, and one that answers without it: what a client may send, and when it is answered.

    transport ─▶ connection ─▶ link ─▶ ┌ machine: reader (llhttp, strict) ─▶ head ─▶ request ┐ ─▶ link ─▶ exchange
        ▲                      │ clock └─ ending, http_error ◀───────────────────── response ┘               │
        └──────────────────────┴◀─ bytes, a deadline, orders ◀───────── begin, write ◀── application ◀── service

The machine (``machine`` and all it imports) does no I/O and looks at no clock: bytes and the time go in; events, bytes
and a deadline come out; its states are a table (``states``). ``link`` drives it, ``connection`` is what asyncio calls.
It knows ASGI and nothing of the board. A request is answered by the application, or refused by the server and its
connection closed; nothing that two parsers could read in two ways is handed on (RFC 9112 section 11.2).
"""

from tokenboard.server.exchange import App, Direct
from tokenboard.server.http_error import Render
from tokenboard.server.limits import Limits
from tokenboard.server.server import HttpServer

__all__ = ["App", "Direct", "HttpServer", "Limits", "Render"]
