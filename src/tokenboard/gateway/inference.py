"""A parsed request for inference: what the relay needs to know about a body."""

import msgspec


class InferenceRequest(msgspec.Struct, frozen=True, gc=False):
    """One parsed request: ``model`` as the client named it, whether it wants a stream, and the body's bytes.

    ``can_ask_usage``: its endpoint knows ``stream_options.include_usage``; ``asks_usage``: it is set.
    ``body`` is what the client sent; only where ``model`` or ``stream`` is given twice, so that an upstream might read
    another value than we did, just the last is kept. ``query`` is the client's, undecoded, without its question mark.

    An ``opaque`` request is relayed unchanged, whatever its body; its ``model`` may be empty, and ``span`` is the
    model's position in a form.
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
        # Without the body: a log, even a traceback, must not hold a prompt.
        return f"InferenceRequest(model={self.model!r}, stream={self.stream!r}, body of {len(self.body)} bytes)"
