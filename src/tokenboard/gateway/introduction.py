"""A request's headers, parsed in one pass: credentials, content coding, attribution."""

from typing import Final, TypeAlias, final

from tokenboard.attribution import READ
from tokenboard.gateway.headers import NAMES_NOTHING, Headers

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

_AUTHORIZATION: Final = 1
_API_KEY: Final = 2
_CODING: Final = 3
_LEFT_OUT: Final = 4
_CONNECTION: Final = 5
_OF_THE_APP: Final = 6
_APART: Final = dict.fromkeys(READ, _OF_THE_APP) | {
    b"authorization": _AUTHORIZATION,
    b"x-api-key": _API_KEY,
    b"content-encoding": _CODING,
    b"host": _LEFT_OUT,
    b"content-length": _LEFT_OUT,
    b"api-key": _LEFT_OUT,
    b"x-goog-api-key": _LEFT_OUT,
    b"proxy-authorization": _LEFT_OUT,
    b"cookie": _LEFT_OUT,
    b"connection": _CONNECTION,
}


@final
class Introduction:
    """One request's credentials, whether its body is compressed, ``fields`` that may be passed on, and ``of_the_app``.

    ``of_the_app`` are the fields that attribution reads. Clients send the same with every request, so what follows from
    them can be cached. ``fields`` holds no credentials and no framing; Connection is among them only where it names
    other fields. ``rendered`` caches the head for the upstream that it was last sent to.
    """

    __slots__ = ("api_key", "authorization", "compressed", "fields", "of_the_app", "rendered")

    def __init__(
        self,
        authorization: bytes | None,
        api_key: bytes | None,
        fields: Fields,
        of_the_app: Fields,
        *,
        compressed: bool,
    ) -> None:
        self.authorization = authorization
        self.api_key = api_key
        self.compressed = compressed
        self.fields = fields
        self.of_the_app = of_the_app
        self.rendered: Rendered | None = None


@final
class Rendered:
    """The head sent to the upstream ``by`` for a ``target``, up to the value of its Content-Length."""

    __slots__ = ("beginning", "by", "target")

    def __init__(self, by: object, target: str, beginning: bytes) -> None:
        self.by = by
        self.target = target
        self.beginning = beginning


def introduce(headers: Headers) -> Introduction:
    """Parse a request's headers; names in lower case, values without surrounding white space, as the server gives them.

    Of duplicate credentials the first counts.
    """
    authorization = api_key = None
    compressed = False
    fields: list[tuple[bytes, bytes]] = []
    of_the_app: list[tuple[bytes, bytes]] = []
    for field in headers:
        kind = _APART.get(field[0])
        if kind is None:
            fields.append(field)
        elif kind == _OF_THE_APP:
            fields.append(field)
            of_the_app.append(field)
        elif kind == _AUTHORIZATION:
            authorization = field[1] if authorization is None else authorization
        elif kind == _API_KEY:
            api_key = field[1] if api_key is None else api_key
        elif kind == _CODING:
            fields.append(field)
            compressed = compressed or field[1].lower() not in {b"", b"identity"}
        elif kind == _CONNECTION and field[1].lower() not in NAMES_NOTHING:
            fields.append(field)
    return Introduction(authorization, api_key, tuple(fields), tuple(of_the_app), compressed=compressed)
