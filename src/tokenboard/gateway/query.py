"""The query string sent to an upstream: the client's, without credentials, then the parameters from the settings."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus, urlencode

_CREDENTIALS: Final = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token"})
"""Parameters in which clients of other services send their key: for us only, as the keys in headers are."""


class UpstreamQuery:
    """The query parameters of one upstream. ``fixed`` ones replace a client's of the same name."""

    __slots__ = ("_fixed", "_withheld", "alone")

    def __init__(self, fixed: Mapping[str, str]) -> None:
        self._fixed = urlencode(fixed).encode()
        self._withheld = _CREDENTIALS | fixed.keys()
        self.alone = b"?" + self._fixed if self._fixed else b""

    def of(self, query: bytes) -> bytes:
        """Return the query to send: with its question mark, or empty; the client's parameters keep their bytes."""
        if not query:
            return self.alone
        parts = [part for part in query.split(b"&") if part and not self._withholds(part)]
        if self._fixed:
            parts.append(self._fixed)
        return b"?" + b"&".join(parts) if parts else b""

    def _withholds(self, part: bytes) -> bool:
        # Some servers split at semicolons too: what one of them would read as a key is not sent.
        return any(_name(each) in self._withheld for each in part.split(b";"))


def _name(part: bytes) -> str:
    return unquote_plus(part.partition(b"=")[0].decode("latin-1")).lower()
