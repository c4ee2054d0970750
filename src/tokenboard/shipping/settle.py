"""An operator's word on a shipment whose board is lost for good."""

import os
from pathlib import Path

import msgspec

from tokenboard.journal import JournalReader, lock_folder
from tokenboard.shipping.place import ShippingError
from tokenboard.shipping.state import Open, Shipped, ShippingFile


def look(folder: Path) -> Shipped:
    """Return what a gateway has noted of its shipments.

    Raises:
        ShippingError: the journal is not shipped, or its note cannot be read.
        SpoolError: there is no journal.

    """
    reader = JournalReader(folder)
    return ShippingFile(folder, reader.id, collected=reader.collected().events).state


def settle(folder: Path, *, taken: bool) -> Open:
    """Decide that the shipment under way was taken by its board, or was not; return it. The gateway must be stopped.

    Raises:
        ShippingError: none is under way, or the note cannot be read or written.
        SpoolError: there is no journal, or a gateway has it open.

    """
    lock = lock_folder(folder)
    try:
        reader = JournalReader(folder)
        file = ShippingFile(folder, reader.id, collected=reader.collected().events)
        state = file.state
        under_way = state.open
        if under_way is None:
            raise ShippingError("no shipment is under way", "There is nothing to decide: start the gateway.")
        if taken:
            last = under_way.tries[-1]
            boards = {**state.boards, under_way.writer: last.next}
            state = msgspec.structs.replace(state, done=last.position, boards=boards)
        file.write(msgspec.structs.replace(state, open=None))
        if taken:
            reader.forget(state.done)
    except OSError as error:
        raise ShippingError(f"what was decided cannot be noted: {error.strerror}") from error
    finally:
        os.close(lock)
    return under_way
