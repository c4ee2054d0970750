"""What a gateway remembers on disk of its shipments."""

import os
from pathlib import Path
from typing import Final

import msgspec

from tokenboard.journal import Position
from tokenboard.shipping.place import SHIPPING, ShippingError

_FORMAT: Final = 1
_MAX_BOARDS: Final = 64


class Try(msgspec.Struct, frozen=True):
    """One way in which the events that follow may have been taken: the cursor noted then, and the place behind them."""

    next: str
    position: Position
    events: int


class Open(msgspec.Struct, frozen=True):
    """A shipment that may have been taken, or may yet be: by which board's spool, from which cursor of its on."""

    writer: str
    cursor: str | None
    tries: tuple[Try, ...]


class Shipped(msgspec.Struct, frozen=True):
    """How far a journal was shipped.

    ``done`` is the place before which everything is some board's. ``boards`` tells what each of these has noted, by the
    id of its spool. ``open`` is the shipment under way.
    """

    journal: str
    done: Position = Position()
    boards: dict[str, str] = {}
    open: Open | None = None
    format: int = _FORMAT


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Shipped)


class ShippingFile:
    """The file, in the journal's folder; each `write` is on disk when it returns, whatever ``[spool] fsync`` says.

    Raises:
        ShippingError: when it is opened, and is damaged or missing where it must be.

    """

    def __init__(self, folder: Path, journal: str, *, collected: int) -> None:
        """``collected`` is how many events of the journal are known to be taken by somebody."""
        self._path = folder / SHIPPING
        self._folder = folder
        try:
            told = self._path.read_bytes()
        except FileNotFoundError:
            if collected:
                raise ShippingError(
                    f"{self._path} is missing, which says what of this journal a board has",
                    "Bring it back. If it is lost, or the journal was a local board's, move the journal's folder away: "
                    "the gateway begins a new one. What waited in it is not counted.",
                ) from None
            self.state = Shipped(journal)
            self.write(self.state)
            return
        except OSError as error:
            raise ShippingError(f"cannot read {self._path}: {error.strerror}") from error
        try:
            self.state = _decoder.decode(told)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise ShippingError(f"{self._path} is damaged: {str(error)[:200]}", "Bring it back as it was.") from error
        if (self.state.journal, self.state.format) != (journal, _FORMAT):
            raise ShippingError(f"{self._path} speaks of another journal, or is of another program's version")

    def write(self, state: Shipped) -> None:
        """Put a state in the place of the last one. Raises OSError; then either of them is there."""
        boards = state.boards
        if len(boards) > _MAX_BOARDS:
            boards = dict(list(boards.items())[-_MAX_BOARDS:])
            state = msgspec.structs.replace(state, boards=boards)
        new = self._path.with_name(f"{SHIPPING}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as stream:
            stream.write(_encoder.encode(state))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self._path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.state = state
