"""Gemini's own `generateContent` and `streamGenerateContent`.

`usageMetadata` with promptTokenCount, candidatesTokenCount, thoughtsTokenCount, cachedContentTokenCount and
totalTokenCount (ai.google.dev, GenerateContentResponse.UsageMetadata). On each chunk and cumulative, or on the last one
only; a chunk may hold nothing else. Zeros are left out of the JSON. Completion is candidates and thoughts together,
cached content is inside the prompt, and what tools put into the prompt is counted beside it.
"""

from tokenboard.usage.number import token_count
from tokenboard.usage.reading import NOTHING, Dialect, Event, Reading, known


def _read(event: Event) -> Reading:
    usage = event["usageMetadata"]
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
            elif thought is None and rest > 0:
                # Thinking that only the total knows of.
                thought = rest
    return known(
        prompt=prompt, answer=answer, thought=thought, cached=token_count(usage.get("cachedContentTokenCount"))
    )


def _count_text(event: Event) -> int:
    candidates = event["candidates"]
    if type(candidates) is not list:
        return 0
    count = 0
    for candidate in candidates:
        content = candidate.get("content") if type(candidate) is dict else None
        parts = content.get("parts") if type(content) is dict else None
        if type(parts) is list:
            count += sum(len(part["text"]) for part in parts if type(part) is dict and type(part.get("text")) is str)
    return count


DIALECT = Dialect(name="gemini-native", readers={"usageMetadata": _read}, texts={"candidates": _count_text})
