"""The head of a request: checked, framed, and turned into bytes."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")  # RFC 9110 section 5.6.2
_CONTROLS: Final = bytes(code for code in range(32) if code != 0x09) + b"\x7f"
_NOT_IN_TARGETS: Final = bytes(range(0x21)) + bytes(range(0x7F, 0x100))
_BODILESS: Final = frozenset({b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE"})

_PLAIN: Final = 0
_HOST: Final = 1
_LENGTH: Final = 2
_CODING: Final = 3
_KINDS: Final = {b"host": _HOST, b"content-length": _LENGTH, b"transfer-encoding": _CODING}


def render_head(
    authority: bytes, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> bytes:
    """Give the request line and headers as bytes, ending with the empty line.

    The headers go out as given and in their order. Only what framing needs is added: `Host: authority` first, when
    there is none, and `Content-Length` last, when there is none and there is a body or a method that asks for one.
    `Template` renders the heads of many POSTs whose headers have the same names.

    Raises ValueError for a method or name that is no token, for CONNECT (it makes a tunnel), a target with white space,
    controls or bytes above ASCII, a value with a control character, a second Host, a Content-Length that is not the
    body's, and any Transfer-Encoding. The text never holds a value.
    """
    lines, kinds = _lines(authority, method, target, headers, len(body))
    if not kinds & _LENGTH and (body or method not in _BODILESS):
        lines.append(b"Content-Length: %d" % len(body))
    return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method, target, b"\r\n".join(lines))


class Template:
    """What `render_head` gives for POSTs whose headers have these names, Content-Length not among them.

    ``names`` are those of the headers that differ from request to request, in order; ``own`` are headers that do not,
    sent behind them. Raises ValueError as `render_head` does.
    """

    __slots__ = ("_breaks", "_form")

    def __init__(self, authority: bytes, names: Sequence[bytes], own: Sequence[tuple[bytes, bytes]]) -> None:
        headers = [(_literal(name), b"%b") for name in names]
        headers += [(_literal(name), _literal(value)) for name, value in own]
        lines, kinds = _lines(_literal(authority), b"POST", b"/", headers, 0)
        if kinds & _LENGTH:
            raise ValueError("Content-Length is the body's to tell")
        self._form = b"POST %%b HTTP/1.1\r\n%b\r\nContent-Length: " % b"\r\n".join(lines)
        self._breaks = len(self._form) - len(self._form.translate(None, _CONTROLS))

    def begin(self, target: bytes, values: tuple[bytes, ...]) -> bytes:
        """Give the head of a request for this target, with these values, as far as `with_length` goes on."""
        _check_target(target)
        head = self._form % (target, *values)
        if len(head) - len(head.translate(None, _CONTROLS)) != self._breaks:
            raise ValueError("a header value holds a control character")
        return head


def with_length(beginning: bytes, length: int) -> bytes:
    """Give the whole head of a request whose body has ``length`` bytes."""
    return b"%b%d\r\n\r\n" % (beginning, length)


def _literal(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")


def _check_target(target: bytes) -> None:
    if not target or len(target.translate(None, _NOT_IN_TARGETS)) != len(target):
        raise ValueError("a request target is made of visible ASCII characters")


def _lines(
    authority: bytes, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], length: int
) -> tuple[list[bytes], int]:
    """Check a request; return its lines, a Host among them, and which headers of framing were given."""
    _check_method(method)
    _check_target(target)
    kinds = 0
    for name, value in headers:
        kind = _kind_of(name)
        if kind == _PLAIN:
            continue
        if kind == _CODING:
            raise ValueError("the body is sent with Content-Length; Transfer-Encoding must not be given")
        if kinds & kind:
            raise ValueError(f"{name.decode('ascii')} is given twice")
        if kind == _LENGTH and (not value.isdigit() or len(value) > 15 or int(value) != length):
            raise ValueError("Content-Length does not tell the body's length")
        kinds |= kind
    lines = [name + b": " + value for name, value in headers]
    if not kinds & _HOST:
        lines.insert(0, b"Host: " + authority)
    block = b"\r\n".join(lines)
    # One pass over all lines: the only controls left may be the CR and LF of the joints.
    if lines and len(block) - len(block.translate(None, _CONTROLS)) != 2 * (len(lines) - 1):
        raise ValueError("a header value holds a control character")
    return lines, kinds


@lru_cache(maxsize=32)
def _check_method(method: bytes) -> None:
    if _TOKEN.fullmatch(method) is None:
        raise ValueError("a request method is a token")
    if method == b"CONNECT":
        raise ValueError("CONNECT is not relayed")


@lru_cache(maxsize=1024)
def _kind_of(name: bytes) -> int:
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("a header name is a token of at most 256 characters")
    return _KINDS.get(name.lower(), _PLAIN)
