"""A JSON object as the bytes received: its members are found, and changed, in place.

Everything else keeps its bytes: white space, the spelling of numbers, the order of members, duplicate members, and
escaped lone surrogates, which JSON's grammar allows (RFC 8259 section 8.2) although they are not valid Unicode.
"""

import re
from collections.abc import KeysView, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

MAX_REPEATED: Final = 32
"""Duplicate members that are looked for one by one; each costs a pass over the rest."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)
_any = msgspec.json.Decoder()

_name_and_colon = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*', re.DOTALL)
_behind_value = re.compile(rb"\s*[,}]")
_surrogate = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_escape = re.compile(rb"\\(?:(u[dD][89abAB]..\\u[dD][c-fC-F]..)|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
_IN_THEIR_PLACE: Final = rb"\\ufffd"  # as long as what it replaces: offsets found in one text hold in the other
_BACKSLASH: Final = b"\\"
_ESCAPED_ASCII: Final = b"\\u00"


class Member(NamedTuple):
    """One member's position: its name, the offset of the name, of its value, and of the value's end."""

    name: str
    begins: int
    value: int
    ends: int


class JsonObject:
    """One object. Of duplicate members the last counts.

    Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError when it is not a JSON object.
    """

    __slots__ = ("_found", "_members", "_readable", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = self._readable = text
        self._found: list[Member] | None = None
        try:
            self._members = _members.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._readable = _surrogate.sub(_IN_THEIR_PLACE, text)
            if self._readable == text:
                raise
            self._members = _members.decode(self._readable)

    def names(self) -> KeysView[str]:
        """Return the names, each once."""
        return self._members.keys()

    def raw(self, name: str) -> bytes | None:
        """Return a member's value as it is spelled, None when there is no such member."""
        value = self._members.get(name)
        if value is None:
            return None
        if self._readable is self._text:
            return bytes(value)
        place = self._place(name)
        return self._text[place.value : place.ends]

    def value(self, name: str) -> Any:
        """Return a member's value, None when there is no such member; raises what the class does."""
        if self._readable is self._text:
            value = self._members.get(name)
            return None if value is None else _any.decode(value)
        raw = self.raw(name)
        return None if raw is None else _any.decode(raw)

    def repeats(self, names: frozenset[str]) -> bool:
        """Tell whether one of these ASCII names is given twice, so that another parser might find another value.

        Fast path: the name occurs once at most in the bytes, and another spelling of it would need escaped ASCII.
        """
        text, members = self._text, self._members
        if _BACKSLASH not in text or _ESCAPED_ASCII not in text:
            for name in names:
                if name in members and text.count(_spelled(name)) > 1:
                    break
            else:
                return False
        read = [place.name for place in self._places() if place.name in names]
        return len(read) != len(set(read))

    def without_repeats(self, names: frozenset[str]) -> bytes:
        """Return the object with the last member alone of each of these names."""
        places = self._places()
        last = {place.name: place for place in places}
        kept = bytearray(self._text[: places[0].begins])
        for place, following in zip(places, [*places[1:], None], strict=True):
            if place.name not in names or last[place.name] is place:
                kept += self._text[place.begins : None if following is None else following.begins]
        return bytes(kept)

    def changed(self, values: Mapping[str, bytes]) -> bytes:
        """Return the object with these values, each a JSON value; those of new names come last."""
        text = self._text
        edits: list[tuple[int, int, bytes]] = []
        comma = b"," if self._members else b""
        for name, value in values.items():
            if name in self._members:
                place = self._place(name)
                edits.append((place.value, place.ends, value))
            else:
                end = text.rindex(b"}")
                edits.append((end, end, b"%b%b:%b" % (comma, _spelled(name), value)))
                comma = b","
        edits.sort(key=itemgetter(0))
        pieces, at = [], 0
        for begins, ends, value in edits:
            pieces += [text[at:begins], value]
            at = ends
        pieces.append(text[at:])
        return b"".join(pieces)

    def _place(self, name: str) -> Member:
        """Return the position of the member that counts; found directly where its spelled name occurs only once."""
        text, spelled = self._readable, _spelled(name)
        if self._found is None and _ESCAPED_ASCII not in text and text.count(spelled) == 1:
            found = _name_and_colon.match(text, text.index(spelled))
            if found is not None:
                return Member(name, found.start(1), found.end(), found.end() + len(bytes(self._members[name])))
        return next(place for place in reversed(self._places()) if place.name == name)

    def _places(self) -> list[Member]:
        """Return the positions of all members, in order.

        The parsed members are matched with the bytes: each fits, unless a duplicate follows.
        """
        if self._found is not None:
            return self._found
        text, members, repeated = self._readable, self._members, 0
        found: list[Member] = []
        at = text.index(b"{") + 1
        while (match := _name_and_colon.match(text, at)) is not None:
            spelled, begins = match[1], match.end()
            name = _string.decode(spelled) if b"\\" in spelled else spelled[1:-1].decode()
            value = bytes(members[name])
            behind = _behind_value.match(text, begins + len(value)) if text.startswith(value, begins) else None
            if behind is None:
                repeated += 1
                if repeated > MAX_REPEATED:
                    raise msgspec.DecodeError(f"more than {MAX_REPEATED} members are given twice")
                behind = _behind_value.match(text, begins + self._length_at(begins))
            if behind is None:
                raise msgspec.DecodeError("a value is followed by neither a comma nor the end")
            found.append(Member(name, match.start(1), begins, behind.start()))
            at = behind.end()
        self._found = found
        return found

    def _length_at(self, begins: int) -> int:
        """Return the length of the value that begins there: the parser reads the rest again, under another name."""
        name = max(self._members, key=len) + "+"
        rest = b"{%b:%b" % (msgspec.json.encode(name), self._readable[begins:])
        return len(bytes(_members.decode(rest)[name]))


@lru_cache(maxsize=64)
def _spelled(name: str) -> bytes:
    """Return one of the few names that are asked for, as it is spelled without escapes."""
    return b'"%b"' % name.encode("ascii")


def meaning(text: bytes) -> Any:
    """Return the value of a JSON text; lone surrogates become U+FFFD.

    Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError when it is not JSON.
    """
    try:
        return _any.decode(text)
    except msgspec.DecodeError:
        whole = _escape.sub(lambda found: b"\\ufffd" if found[2] else found[0], text)
        return _any.decode(whole)
