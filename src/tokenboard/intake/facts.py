"""One use of a model as it is reported, before it becomes an event."""

import msgspec

from tokenboard.attribution import Attribution
from tokenboard.event import Source
from tokenboard.usage import Usage


class Caller(msgspec.Struct, frozen=True):
    """Who reported the use: ids of the account and of the key in the catalog, and the key's label."""

    account_id: int
    key_id: int
    label: str


OPERATOR = Caller(account_id=0, key_id=0, label="import")
"""Usage imported from files on the board's own machine: no key, no account."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """One use of a model: who, what, how much, how it went.

    ``ts_ms`` is the event's own time (UTC epoch milliseconds); its UTC day is the day it counts for. ``status`` is the
    HTTP status of the answer; ``failed`` uses carry no tokens, and no ``tool_calls``: whether the answer held a call of
    a tool, None when nobody told.
    """

    id: str
    ts_ms: int
    source: Source
    caller: Caller
    attribution: Attribution
    model: str
    provider: str
    endpoint: str
    streamed: bool
    status: int
    failed: bool
    usage: Usage
    latency_ms: int | None = None
    first_token_ms: int | None = None
    tool_calls: bool | None = None
