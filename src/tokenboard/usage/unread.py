"""What a meter could not read, by reason."""

from enum import StrEnum


class Unread(StrEnum):
    """Why an answer, or a part of it, told nothing of usage. An answer may have several reasons."""

    UNKNOWN_ENCODING = "unknown_encoding"
    """Compressed in a way that is not known here, or more often than any server does."""
    BROKEN_ENCODING = "broken_encoding"
    """Called compressed, or begun so, but it does not unpack."""
    OVERSIZED = "oversized"
    """Unpacks to more bytes than are read."""
    MALFORMED_JSON = "malformed_json"
    """A document, or an event's data, that is no JSON; a usage object that is whole in it counts all the same."""
    BROKEN_STREAM = "broken_stream"
    """A stream that ended amid an event."""
    UNKNOWN_FORM = "unknown_form"
    """Neither JSON nor an event stream, and not of a type, such as audio, that tells why."""
    NOTHING_REPORTED = "nothing_reported"
    """Read to its end, and no usage was in it."""
    LATE = "late"
    """Usage came after the terminal event of a stream, so late that the answer had been recorded."""
    FAULT = "fault"
    """A mistake of ours."""

    @property
    def hides(self) -> bool:
        """Whether a part of the answer, whatever it holds, was not seen."""
        return self not in {Unread.NOTHING_REPORTED, Unread.LATE}
