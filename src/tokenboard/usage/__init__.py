"""Usage: how many tokens a response took, told from its bytes alone. Pure: no I/O, no clock, no log.

    chunk -> encoding -> events | lines | whole body -> document -> dialects -> Reading -> settle -> Usage

`Meter` reads along with one response. What the JSON means is told by its shape, in `dialects`; the URL plays no part.
"""

from tokenboard.usage.meter import CHARACTERS_PER_TOKEN, Blindness, Meter
from tokenboard.usage.number import MAX_TOKENS, MAX_USD, token_count, usd
from tokenboard.usage.record import Usage, UsageSource

__all__ = [
    "CHARACTERS_PER_TOKEN",
    "MAX_TOKENS",
    "MAX_USD",
    "Blindness",
    "Meter",
    "Usage",
    "UsageSource",
    "token_count",
    "usd",
]
