"""Events that are, but for one text, like an event that was read before: known by their bytes, without being parsed.

Nearly all of a stream's events differ in the piece of text that they bring, and in nothing else that matters.
"""

import re
from typing import Final, final

from msgspec.json import Decoder

from tokenboard.usage.document import UNREADABLE, decode_event
from tokenboard.usage.endings import find_ending
from tokenboard.usage.output import read_output
from tokenboard.usage.places import read_usage

_TEXT: Final = re.compile(
    rb'"(?:content|text|delta|reasoning_content|reasoning|thinking|partial_json)"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")'
)
# OpenAI fills events up to lengths that tell nothing of the text, with a last member of letters and digits.
_PADDING: Final = b',"obfuscation":"'
_PADDED: Final = re.compile(rb',"obfuscation":"[0-9A-Za-z]*"\}')
_STRING: Final[Decoder[str]] = Decoder(str)
_TRIALS: Final = 3
_PATIENCE: Final = _TRIALS + 3
"""Trying costs as much as parsing three events, so an answer's first ones are let go, and it is tried a few times."""


@final
class Twins:
    """Tells what output an event brings that is the twin of the last one that `learn` was shown.

    ``learn`` takes only what it has tried: an event that says nothing but a text, whose count follows that text's
    length. In a stream whose events have no twins it soon tries no more.
    """

    __slots__ = ("_head", "_name", "_padded", "_patience", "_tail")

    def __init__(self) -> None:
        self._head = b""  # of the twins, up to their text's quotation mark
        self._tail = b""  # from its other quotation mark on
        self._name = b""
        self._padded = False
        self._patience = _PATIENCE

    def count(self, document: bytes, name: bytes) -> int:
        """Return how many characters of output an event brings, and nothing else; -1 when it has to be parsed."""
        if self._padded:
            document = _unpadded(document)
        head, tail = self._head, self._tail
        if not head or not document.startswith(head) or not document.endswith(tail) or name != self._name:
            return -1
        # Between what is equal there must be one string, whole, or this is another event after all.
        try:
            count = len(_STRING.decode(document[len(head) - 1 : len(document) - len(tail) + 1]))
        except UNREADABLE:
            return -1
        self._patience = _TRIALS
        return count

    def learn(self, document: bytes, name: bytes, count: int) -> None:
        """Look at an event that was parsed and brought so many characters of output, and nothing else."""
        if self._patience <= 0 or not count:
            return
        self._patience -= 1
        if self._patience >= _TRIALS:
            return
        self._padded = _PADDING in document
        if self._padded:
            document = _unpadded(document)
        found = list(_TEXT.finditer(document))
        if len(found) != 1:
            return
        begin, end = found[0].span(1)
        head, tail = document[: begin + 1], document[end - 1 :]
        longer = head + b"x" + document[begin + 1 :]
        if _brings(head + tail) == 0 and _brings(longer) == count + 1:
            self._head, self._tail, self._name = head, tail, name


def _brings(document: bytes) -> int:
    """Return how many characters of output an event brings, -1 if it says anything else; read without its name."""
    event = decode_event(document)
    if event is None or read_usage(event) is not None or find_ending(event) is not None:
        return -1
    count, calls = read_output(event)
    return -1 if calls else count


def _unpadded(document: bytes) -> bytes:
    at = document.rfind(_PADDING)
    return document[:at] + b"}" if at > 0 and _PADDED.fullmatch(document, at) is not None else document
