"""A shipment and its answer, as bytes.

shipment   Zstandard, with its checksum, of MessagePack
answer     JSON
"""

from enum import StrEnum
from typing import Final

import msgspec
import zstandard

MAX_SHIPMENT: Final = 16 * 1024 * 1024
"""Bytes of a shipment at most, unpacked. A gateway packs far less, unless a single record is as large."""

_LEVEL: Final = 1
_LONGEST: Final = 200


class ShipmentError(Exception):
    """The bytes are no shipment, or no answer to one, that this program reads."""

    hint = "Gateway and board have to be of versions that go together; see the changelog."


class Shipment(msgspec.Struct, frozen=True):
    """What follows in a journal, for the board whose spool is ``writer``: ``bodies`` in order, each one event.

    ``cursor`` is what that spool has noted of the journal, None when it has noted nothing; ``next`` is what it shall
    note with this. ``damaged`` are records whose bytes are not those that were appended, with the reason. ``missing``
    counts events that the journal should have had here and has not. ``waiting`` is how many lie behind this shipment.
    ``instance`` names the run of the gateway.
    """

    journal: str
    instance: str
    writer: str
    cursor: str | None
    next: str
    bodies: tuple[bytes, ...]
    damaged: tuple[tuple[str, bytes], ...] = ()
    missing: int = 0
    waiting: int = 0


class Outcome(StrEnum):
    """What became of a shipment, or of the question what a board has of a journal."""

    ASKED = "asked"
    """It was only asked."""
    TAKEN = "taken"
    """It is in the spool, and the cursor is where it should be."""
    MOVED = "moved"
    """Nothing was taken: the cursor is another than the shipment says."""
    ELSEWHERE = "elsewhere"
    """Nothing was taken: it is meant for another board's spool."""
    FULL = "full"
    """Nothing was taken: the board's spool has no room, or cannot be written."""
    HELD = "held"
    """Nothing was taken: another run of this gateway, or a copy of it, is connected."""


class Answer(msgspec.Struct, frozen=True):
    """What a board says: the id of its spool, and what that has noted of the journal."""

    outcome: Outcome
    writer: str
    cursor: str | None
    message: str = ""


_packed = msgspec.msgpack.Encoder()
_unpacked = msgspec.msgpack.Decoder(Shipment)
_json = msgspec.json.Encoder()
_answer = msgspec.json.Decoder(Answer)


def encode_shipment(shipment: Shipment) -> bytes:
    """Return a shipment's bytes."""
    return zstandard.ZstdCompressor(_LEVEL, write_checksum=True).compress(_packed.encode(shipment))


def decode_shipment(data: bytes) -> Shipment:
    """Return the shipment in these bytes.

    Raises:
        ShipmentError: they are damaged, unpack to more than `MAX_SHIPMENT`, or hold something else.

    """
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= MAX_SHIPMENT:
            raise ShipmentError(f"a shipment says how long it is, and is at most {MAX_SHIPMENT:,} bytes long")
        return _unpacked.decode(zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_SHIPMENT))
    except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ShipmentError(f"not a shipment of usage: {str(error)[:_LONGEST]}") from error


def encode_answer(answer: Answer) -> bytes:
    """Return an answer's bytes."""
    return _json.encode(answer)


def decode_answer(data: bytes) -> Answer:
    """Return the answer in these bytes; raises ShipmentError when they are none, such as a proxy's page."""
    try:
        return _answer.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ShipmentError(f"not a board's answer: {str(error)[:_LONGEST]}") from error
