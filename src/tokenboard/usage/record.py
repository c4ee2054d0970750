"""One frozen answer to the question how many tokens a request took."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class UsageSource(StrEnum):
    """How the numbers of a `Usage` came to be known."""

    REPORTED = "reported"
    """The upstream said so, and its answer came to its end."""
    PARTIAL = "partial"
    """The upstream said so, but the answer broke off afterwards; the numbers may be too small."""
    ESTIMATED = "estimated"
    """Counted from the characters of the text that was relayed before the answer broke off."""
    UNKNOWN = "unknown"
    """Nobody said; every number is None."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The tokens of one response, in tokens, and its cost in USD. None is unknown, which is not zero.

    `prompt_tokens` includes `cached_tokens` (those read from a cache), `completion_tokens` includes `reasoning_tokens`.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: Decimal | None = None
    source: UsageSource = UsageSource.UNKNOWN

    @property
    def total_tokens(self) -> int | None:
        """Prompt and completion together; None unless both are known."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens
