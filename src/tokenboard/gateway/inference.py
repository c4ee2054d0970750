"""A request for inference, parsed: what the relay needs to know of a body."""

import msgspec


class InferenceRequest(msgspec.Struct, frozen=True, gc=False):
    """One parsed request: ``model`` as the client named it, whether it wants a stream, and the body's bytes.

    ``can_ask_usage``: its endpoint knows ``stream_options.include_usage``; ``asks_usage``: it is set.
    ``body`` is what the client sent, unless an upstream could read another ``model`` or ``stream`` in it than we did:
    of these, members given twice, the last alone is kept. ``query`` is the client's, undecoded, without its
    question mark.

    An ``opaque`` request is relayed as it is, whatever its body; ``model`` may be empty then, and ``span`` is where a
    form names it.
    """

    model: str
    stream: bool
    asks_usage: bool
    body: bytes
    can_ask_usage: bool = True
    query: bytes = b""
    method: bytes = b"POST"
    opaque: bool = False
    span: tuple[int, int] | None = None

    def __repr__(self) -> str:
        # Without the body: what is logged of a request, even by a traceback, holds no prompt.
        return f"InferenceRequest(model={self.model!r}, stream={self.stream!r}, body of {len(self.body)} bytes)"
