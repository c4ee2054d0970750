"""The kinds of requests that figures per day and model are kept apart by, as derived from the raw events.

The board looks at no prompt and no answer, so a kind is what the counts and the endpoint of a request say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ContextBucket(StrEnum):
    """The smallest of five sizes that a request's prompt fits in; the last one takes what is larger still."""

    UP_TO_1K = "1K"
    UP_TO_10K = "10K"
    UP_TO_100K = "100K"
    UP_TO_1M = "1M"
    BEYOND_1M = "10M"


class Output(StrEnum):
    """What a model gives: text, or vectors."""

    TEXT = "text"
    VECTORS = "vectors"


class ToolUse(StrEnum):
    """Whether an answer held a call of a tool."""

    CALLED = "called"
    NONE = "none"


MOST_PROMPT_TOKENS: Mapping[ContextBucket, int] = MappingProxyType(
    {
        ContextBucket.UP_TO_1K: 1_000,
        ContextBucket.UP_TO_10K: 10_000,
        ContextBucket.UP_TO_100K: 100_000,
        ContextBucket.UP_TO_1M: 1_000_000,
    }
)
"""The largest prompt, in tokens, of each bucket but the last, in order."""

ENDPOINTS: Mapping[Output, tuple[str, ...]] = MappingProxyType(
    {Output.TEXT: ("chat", "completions", "responses", "messages"), Output.VECTORS: ("embeddings",)}
)
"""The endpoints, by their names in the ledger, of each output. Changed only together with a schema file that makes the
view of ``model_daily`` again and has the table filled again."""


@dataclass(frozen=True, slots=True)
class RequestKind:
    """A choice of requests, for a question: those of which all hold; None is whatever it is."""

    context_bucket: ContextBucket | None = None
    output: Output | None = None
    tool_use: ToolUse | None = None


ANY_KIND = RequestKind()
"""Every request."""


def kind_columns() -> dict[str, str]:
    """Return how each column of a kind is derived from the raw events; '' is unknown."""
    sizes = ", ".join(f"usage.prompt_tokens <= {most}, '{bucket}'" for bucket, most in MOST_PROMPT_TOKENS.items())
    outputs = ", ".join(
        f"usage.endpoint IN ({', '.join(repr(name) for name in names)}), '{output}'"
        for output, names in ENDPOINTS.items()
    )
    return {
        "context_bucket": f"multiIf(isNull(usage.prompt_tokens), '', {sizes}, '{ContextBucket.BEYOND_1M}')",
        # Usage metered elsewhere has no endpoint: what completed something gave text, as vectors are no completion.
        "output": f"multiIf({outputs}, usage.endpoint = '' AND ifNull(usage.completion_tokens, 0) > 0, "
        f"'{Output.TEXT}', '')",
        "tool_use": f"multiIf(isNull(usage.tool_calls), '', usage.tool_calls, '{ToolUse.CALLED}', '{ToolUse.NONE}')",
    }
