"""Usage: how many tokens a response took, told from its bytes alone. Pure: no I/O, no clock, no log.

    chunk -> encoding -> nature -> events | lines | body -> document -> places -> counts -> settle -> Usage

`Meter` reads along with one response; `read_whole` reads most of those that come in one piece. What a body is, is told
by its first bytes, what its JSON means by its shape; the URL and the labels play no part. `endings`, `output` and
`tools` tell what else an event says; `abridge` makes events of any length short; `unread` names what could not be read.
"""

from tokenboard.usage.meter import CHARACTERS_PER_TOKEN, Meter
from tokenboard.usage.number import MAX_TOKENS, MAX_USD, token_count, usd
from tokenboard.usage.record import Usage, UsageSource
from tokenboard.usage.unread import Unread
from tokenboard.usage.whole import read_whole

__all__ = [
    "CHARACTERS_PER_TOKEN",
    "MAX_TOKENS",
    "MAX_USD",
    "Meter",
    "Unread",
    "Usage",
    "UsageSource",
    "read_whole",
    "token_count",
    "usd",
]
