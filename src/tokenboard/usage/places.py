"""Where in an event, or a whole body, usage stands (usage: rule 11).

    usage                              OpenAI, Anthropic's message_delta, and most others
    response.usage                     `/responses`, on its terminal event
    message.usage                      Anthropic's message_start
    choices[].usage                    Moonshot
    x_groq.usage                       Groq
    amazon-bedrock-invocationMetrics   Bedrock, on the last event of a stream
    usageMetadata                      Gemini
    prompt_eval_count, eval_count      Ollama's own routes (ollama, docs/api.md)
    tokens_evaluated, tokens_predicted llama.cpp's own `/completion` (tools/server/README.md)

Of several in one event the one higher in this list has the word, number by number.
"""

from collections.abc import Callable
from typing import Any, Final

from tokenboard.usage.counts import read_counts, total_alone
from tokenboard.usage.number import token_count
from tokenboard.usage.reading import NOTHING, Event, Reading, known, merge

# An answer with one of these has, or may have, output: a total alone says too little of it.
_OUTPUT: Final = ("choices", "output", "content", "candidates", "message", "response", "type")


def read_usage(event: Event) -> Reading | None:
    """Return what the event says of usage, or None when it says nothing, or all zero."""
    found: Reading | None = None
    rank = 0
    for key, value in event.items():
        place = _PLACES.get(key)
        if place is None or value is None:
            continue
        reading = place[1](value, event)
        # Usage with every field zero is unknown (rule 2).
        if not reading or not any(reading.values()):
            continue
        if found is None:
            found, rank = reading, place[0]
            continue
        lower, higher = (found, reading) if place[0] < rank else (reading, found)
        rank = min(rank, place[0])
        found = lower.copy()
        merge(found, higher)
    return found


def read_top(usage: Any, event: Event) -> Reading:
    """Return what an object under ``usage`` at the top of an event says; the event tells whose names it uses."""
    if type(usage) is not dict:
        return NOTHING
    kind = event.get("type")
    told = event.get("object")
    inclusive: bool | None = None
    if type(kind) is str and kind.startswith("message"):
        inclusive = False
    elif told == "response" or (type(kind) is str and kind.startswith("response.")):
        inclusive = True
    reading = read_counts(usage, inclusive=inclusive)
    if "completion" not in reading:
        if "prompt" in reading:
            if told == "list":  # embeddings and rerankers have no output
                reading["completion"] = 0
        elif not any(name in event for name in _OUTPUT):
            total = total_alone(usage)
            if total is not None:
                reading = known(prompt=total, completion=0, cost=reading.get("cost"))
    return reading


def _read_response(response: Any, event: Event) -> Reading:  # noqa: ARG001 - as the table calls it
    return read_counts(response.get("usage"), inclusive=True) if type(response) is dict else NOTHING


def _read_message(message: Any, event: Event) -> Reading:  # noqa: ARG001
    return read_counts(message.get("usage"), inclusive=False) if type(message) is dict else NOTHING


def _read_groq(groq: Any, event: Event) -> Reading:  # noqa: ARG001
    return read_counts(groq.get("usage"), inclusive=None) if type(groq) is dict else NOTHING


def _read_choices(choices: Any, event: Event) -> Reading:  # noqa: ARG001
    found = NOTHING
    if type(choices) is list:
        for choice in choices:
            usage = choice.get("usage") if type(choice) is dict else None
            if usage is not None:
                reading = read_counts(usage, inclusive=None)
                if any(reading.values()):
                    found = reading
    return found


def _read_bedrock(metrics: Any, event: Event) -> Reading:  # noqa: ARG001
    if type(metrics) is not dict:
        return NOTHING
    return known(
        fresh=token_count(metrics.get("inputTokenCount")),
        cache_write=token_count(metrics.get("cacheWriteInputTokenCount")),
        cache_read=token_count(metrics.get("cacheReadInputTokenCount")),
        completion=token_count(metrics.get("outputTokenCount")),
    )


def _read_gemini(usage: Any, event: Event) -> Reading:  # noqa: ARG001
    """Read Gemini's own counts: zeros are left out, thinking and tools' prompts stand beside candidates and prompt."""
    if type(usage) is not dict:
        return NOTHING
    prompt = token_count(usage.get("promptTokenCount"))
    answer = token_count(usage.get("candidatesTokenCount"))
    thought = token_count(usage.get("thoughtsTokenCount"))
    total = token_count(usage.get("totalTokenCount"))
    if prompt is not None:
        prompt += token_count(usage.get("toolUsePromptTokenCount")) or 0
        if total is not None:
            rest = total - prompt - (answer or 0) - (thought or 0)
            if answer is None and rest >= 0:
                answer = rest
            elif rest > 0 and thought is None:
                thought = rest
            elif rest > 0:
                prompt += rest
    return known(
        prompt=prompt, answer=answer, thought=thought, cached=token_count(usage.get("cachedContentTokenCount"))
    )


def _read_ollama(value: Any, event: Event) -> Reading:  # noqa: ARG001
    """Read Ollama's own counts: zeros are left out, so a prompt alone means no output."""
    prompt = token_count(event.get("prompt_eval_count"))
    completion = token_count(event.get("eval_count"))
    if completion is None and prompt is not None and event.get("eval_count") is None:
        completion = 0
    return known(prompt=prompt, completion=completion)


def _read_llama_cpp(value: Any, event: Event) -> Reading:  # noqa: ARG001
    """Read llama.cpp's own counts; tokens_cached is left alone: it is the fill of the slot's cache, output included."""
    return known(
        prompt=token_count(event.get("tokens_evaluated")), completion=token_count(event.get("tokens_predicted"))
    )


_READERS: Final[dict[str, Callable[[Any, Event], Reading]]] = {
    "usage": read_top,
    "response": _read_response,
    "message": _read_message,
    "choices": _read_choices,
    "x_groq": _read_groq,
    "amazon-bedrock-invocationMetrics": _read_bedrock,
    "usageMetadata": _read_gemini,
    "prompt_eval_count": _read_ollama,
    "eval_count": _read_ollama,
    "tokens_evaluated": _read_llama_cpp,
    "tokens_predicted": _read_llama_cpp,
}
_PLACES: Final = {key: (rank, read) for rank, (key, read) in enumerate(_READERS.items())}

KEYS: Final[frozenset[str]] = frozenset({*_READERS, "type", "object"})
"""The top-level keys that are looked at."""

INNER: Final[frozenset[str]] = frozenset({"response", "message", "choices", "x_groq"})
"""Those of them under which a usage object stands one level, or one element, deeper."""
