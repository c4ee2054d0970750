"""What a client says of itself in a request's headers, taken apart in one pass."""

from typing import Final, NamedTuple

from tokenboard.gateway.headers import Headers

_AUTHORIZATION: Final = 1
_API_KEY: Final = 2
_CODING: Final = 3
_LEFT_OUT: Final = 4
_APART: Final = {
    b"authorization": _AUTHORIZATION,
    b"x-api-key": _API_KEY,
    b"content-encoding": _CODING,
    b"host": _LEFT_OUT,
    b"content-length": _LEFT_OUT,
    b"api-key": _LEFT_OUT,
    b"x-goog-api-key": _LEFT_OUT,
    b"proxy-authorization": _LEFT_OUT,
    b"cookie": _LEFT_OUT,
}


class Introduction(NamedTuple):
    """One request's credentials, whether its body is compressed, and ``fields`` that may name an app or be passed on.

    Clients send the same fields with every request, so what follows from them may be kept in mind: no credential is
    among them, and nothing of this one request's framing.
    """

    authorization: bytes | None
    api_key: bytes | None
    compressed: bool
    fields: tuple[tuple[bytes, bytes], ...]


def introduce(headers: Headers) -> Introduction:
    """Take a request's headers apart; names in lower case, values without white space around them, as the server gives.

    Of several credentials of one name the first counts.
    """
    authorization = api_key = None
    compressed = False
    fields: list[tuple[bytes, bytes]] = []
    for field in headers:
        kind = _APART.get(field[0])
        if kind is None:
            fields.append(field)
        elif kind == _AUTHORIZATION:
            authorization = field[1] if authorization is None else authorization
        elif kind == _API_KEY:
            api_key = field[1] if api_key is None else api_key
        elif kind == _CODING:
            fields.append(field)
            compressed = compressed or field[1].lower() not in {b"", b"identity"}
    return Introduction(authorization, api_key, compressed, tuple(fields))
