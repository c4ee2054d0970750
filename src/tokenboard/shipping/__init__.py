"""Usage on its way to a board on another machine: exactly once, whatever breaks.

    journal ─▶ Shipper ─▶ Shipment ═══ HTTP ═══▶ board's spool, and its cursor with it
                 │ ▲                                     │
    ShippingFile ┘ └──── Answer: taken, or what there is ┘

A board keeps one cursor for each journal, and moves it in the transaction that takes a shipment over, from the very
value that the shipment names to a value that no other shipment has. The gateway notes on disk, before a shipment
leaves, to which board and from which value to which: so whatever becomes of the answer, or of the process, the board's
cursor tells later whether it was taken. Nothing here speaks HTTP, sleeps, or reads a clock.
"""

from tokenboard.shipping.place import SHIPPING, ShippingError, refuse_shipped
from tokenboard.shipping.settle import look, settle
from tokenboard.shipping.shipper import Ask, Send, Shipper, Standing
from tokenboard.shipping.state import ShippingFile
from tokenboard.shipping.wire import (
    MAX_SHIPMENT,
    Answer,
    Outcome,
    Shipment,
    ShipmentError,
    decode_answer,
    decode_shipment,
    encode_answer,
    encode_shipment,
)

__all__ = [
    "MAX_SHIPMENT",
    "SHIPPING",
    "Answer",
    "Ask",
    "Outcome",
    "Send",
    "Shipment",
    "ShipmentError",
    "Shipper",
    "ShippingError",
    "ShippingFile",
    "Standing",
    "decode_answer",
    "decode_shipment",
    "encode_answer",
    "encode_shipment",
    "look",
    "refuse_shipped",
    "settle",
]
