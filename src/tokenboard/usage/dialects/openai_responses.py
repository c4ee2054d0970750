"""OpenAI `/responses`, and images and transcriptions, which count in the same names.

`usage` with input_tokens, output_tokens, total_tokens and `*_details`; cached tokens are inside the input
(openai-openapi, ResponseUsage). When streaming it is `response.usage` on the terminal event, which may be
`response.completed`, `response.incomplete` or `response.failed`; [DONE] need not follow, and a server may leave out the
`event:` lines, so the JSON's own `type` tells the event.
"""

from typing import Any

from tokenboard.usage.number import token_count, usd
from tokenboard.usage.reading import NOTHING, Dialect, Ending, Event, Reading, known


def _read_response(event: Event) -> Reading:
    response = event["response"]
    return _read_usage(response.get("usage")) if type(response) is dict else NOTHING


def _read(event: Event) -> Reading:
    """Read a top-level usage object, unless it is one of the Anthropic family, whose input excludes cached tokens."""
    usage = event["usage"]
    if type(usage) is not dict or ("input_tokens" not in usage and "output_tokens" not in usage):
        return NOTHING
    kind = event.get("type")
    if event.get("object") == "response" or (type(kind) is str and kind.startswith("response.")):
        return _read_usage(usage)
    if type(kind) is str and kind.startswith("message"):
        return NOTHING
    inclusive = usage.get("input_tokens_details") is not None or usage.get("total_tokens") is not None
    return _read_usage(usage) if inclusive else NOTHING


def _read_usage(usage: object) -> Reading:
    if type(usage) is not dict:
        return NOTHING
    prompt = token_count(usage.get("input_tokens"))
    completion = token_count(usage.get("output_tokens"))
    total = token_count(usage.get("total_tokens"))
    if completion is None and prompt is not None and total is not None and total >= prompt:
        completion = total - prompt
    return known(
        prompt=prompt,
        completion=completion,
        cached=_detail(usage, "input_tokens_details", "cached_tokens"),
        reasoning=_detail(usage, "output_tokens_details", "reasoning_tokens"),
        cost=usd(usage.get("cost")),
    )


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return token_count(details.get(name)) if type(details) is dict else None


def _count_text(event: Event) -> int:
    delta = event["delta"]
    if type(delta) is not str:
        return 0
    kind = event.get("type")
    # Audio comes as base64 in the same field.
    return 0 if type(kind) is str and kind.endswith("audio.delta") else len(delta)


DIALECT = Dialect(
    name="openai-responses",
    readers={"response": _read_response, "usage": _read},
    texts={"delta": _count_text},
    endings={
        ("type", "response.completed"): Ending.WHOLE,
        ("type", "response.incomplete"): Ending.WHOLE,
        ("type", "response.failed"): Ending.ERROR,
        ("type", "response.cancelled"): Ending.ERROR,
        ("type", "transcript.text.done"): Ending.WHOLE,
        ("type", "speech.audio.done"): Ending.WHOLE,
        ("type", "error"): Ending.ERROR,
    },
    context=("type", "object"),
)
