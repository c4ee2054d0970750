"""The built-in model ``tokenboard/echo``: a first call needs no account anywhere.

    body ─▶ the endpoint's form: read what was said ─▶ the same words again, whole or as a stream

It answers every inference endpoint in that endpoint's own shape: with the last user message (or the prompt), word by
word when asked to stream; with a small vector for embeddings. It counts tokens as white-space-separated words: the
prompt over all it was sent, the completion over the answer.
"""

from tokenboard.gateway.echo.body import MAX_INPUTS
from tokenboard.gateway.echo.upstream import ECHO_MODEL, MAX_BODY, EchoAnswer, EchoUpstream
from tokenboard.gateway.echo.words import MAX_PIECES

__all__ = ["ECHO_MODEL", "MAX_BODY", "MAX_INPUTS", "MAX_PIECES", "EchoAnswer", "EchoUpstream"]
