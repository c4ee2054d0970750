"""OpenAI `/chat/completions` and `/completions`, and the many servers that answer in this shape.

`usage` with prompt_tokens, completion_tokens, total_tokens and `*_details` (openai-openapi, CompletionUsage). Cached
tokens are inside the prompt, reasoning inside the completion. What the servers make of it when streaming:

    OpenAI       one extra chunk with `choices: []` before [DONE]; the others hold `usage: null`
    OpenRouter   on the last chunk, always; adds `cost`
    vLLM         as OpenAI; with continuous_usage_stats on every chunk, cumulative
    Ollama       as OpenAI; on /completions all zero on each chunk, then the real one
    llama.cpp    as OpenAI; on /completions on the final chunk, which has choices too
    Gemini       on every chunk, cumulative; thinking may be counted in total_tokens alone
    LiteLLM      may carry the names of both families: prompt_tokens is the one to trust
"""

from typing import Any

from tokenboard.usage.number import token_count, usd
from tokenboard.usage.reading import NOTHING, Dialect, Event, Reading, known


def _read(event: Event) -> Reading:
    usage = event["usage"]
    if type(usage) is not dict or ("prompt_tokens" not in usage and "completion_tokens" not in usage):
        return NOTHING
    prompt = token_count(usage.get("prompt_tokens"))
    completion = token_count(usage.get("completion_tokens"))
    total = token_count(usage.get("total_tokens"))
    cached = _detail(usage, "prompt_tokens_details", "cached_tokens")
    if cached is None:
        cached = token_count(usage.get("cache_read_input_tokens"))
    reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens")
    if prompt is not None and total is not None and total >= prompt:
        if completion is None:
            completion = total - prompt
        elif total > prompt + completion:
            # Output that only the total knows of is thinking: it belongs to the completion.
            if reasoning is None:
                reasoning = total - prompt - completion
            completion = total - prompt
    elif prompt is None and completion is not None and total is not None and total >= completion:
        prompt = total - completion
    return known(prompt=prompt, completion=completion, cached=cached, reasoning=reasoning, cost=usd(usage.get("cost")))


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return token_count(details.get(name)) if type(details) is dict else None


def _count_text(event: Event) -> int:
    choices = event["choices"]
    if type(choices) is not list:
        return 0
    count = 0
    for choice in choices:
        if type(choice) is not dict:
            continue
        delta = choice.get("delta")
        if type(delta) is dict:
            count += _count_delta(delta)
        text = choice.get("text")
        if type(text) is str:
            count += len(text)
    return count


def _count_delta(delta: dict[str, Any]) -> int:
    count = 0
    # A server that sends its reasoning under both names sends the same text twice.
    for content in (
        delta.get("content"),
        delta.get("reasoning_content") or delta.get("reasoning"),
        delta.get("refusal"),
    ):
        if type(content) is str:
            count += len(content)
        elif type(content) is list:
            count += sum(len(part["text"]) for part in content if type(part) is dict and type(part.get("text")) is str)
    calls = delta.get("tool_calls")
    if type(calls) is list:
        for call in calls:
            function = call.get("function") if type(call) is dict else None
            if type(function) is dict:
                count += sum(
                    len(text) for text in (function.get("name"), function.get("arguments")) if type(text) is str
                )
    return count


DIALECT = Dialect(name="openai-chat", readers={"usage": _read}, texts={"choices": _count_text})
