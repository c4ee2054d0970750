"""OpenAI `/embeddings`, and rerankers in its shape: a list with `usage` of prompt_tokens and total_tokens.

There is no output, so completion_tokens is absent and known to be 0. Some servers give total_tokens alone.
"""

from tokenboard.usage.number import token_count, usd
from tokenboard.usage.reading import NOTHING, Dialect, Event, Reading, known


def _read(event: Event) -> Reading:
    usage = event["usage"]
    if event.get("object") != "list" or type(usage) is not dict or usage.get("completion_tokens") is not None:
        return NOTHING
    prompt = token_count(usage.get("prompt_tokens"))
    if prompt is None:
        prompt = token_count(usage.get("total_tokens"))
    if prompt is None:
        return NOTHING
    return known(prompt=prompt, completion=0, cost=usd(usage.get("cost")))


DIALECT = Dialect(name="openai-embeddings", readers={"usage": _read}, context=("object",))
