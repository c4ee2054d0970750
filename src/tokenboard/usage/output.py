"""What of an event, or a whole body, is output: whatever a reader would be billed for (rule 14), and calls of tools.

Output is text, thinking, refusals, transcripts of audio, names and arguments of tool and function calls, in every
dialect. Its characters are counted for two answers only: was there any before an error, and how much of it while nobody
reported usage.

Calls are told by shape. Chat: ``choices[].delta|message`` with tool_calls or function_call. Responses: an item in
``output``, ``item`` or ``response.output`` whose type ends in ``_call``. Messages: a block in ``content``,
``content_block`` or ``message.content`` whose type ends in ``tool_use``. Gemini: a functionCall in
``candidates[].content.parts[]``. Ollama: ``message.tool_calls``.
"""

from collections.abc import Callable
from typing import Any, Final

from tokenboard.usage.reading import Event

_THOUGHTS: Final = frozenset({"reasoning_content", "reasoning", "thinking"})
_CALLS: Final = frozenset({"tool_calls", "function_call"})

Found = tuple[int, bool]
"""Characters of output, and whether a tool is called."""

_NOTHING: Final[Found] = (0, False)


def read_output(event: Event) -> Found:
    """Return the number of characters of output in an event or a whole body, and whether it calls a tool."""
    count = 0
    calls = False
    for key, value in event.items():
        if value is not None:
            read = _READERS.get(key)
            if read is not None:
                more, called = read(value, event)
                count += more
                calls = calls or called
    return count, calls


def _read_choices(choices: Any, event: Event) -> Found:
    """Read chat and completions: deltas of a stream, messages of a document, bare text."""
    count = 0
    calls = False
    if type(choices) is list:
        for choice in choices:
            if type(choice) is not dict:
                continue
            message = choice.get("delta") or choice.get("message")
            if type(message) is dict:
                more, called = _read_message(message, event)
                count += more
                calls = calls or called
            text = choice.get("text")
            if type(text) is str:
                count += len(text)
    return count, calls


def _read_message(message: Any, event: Event) -> Found:  # noqa: ARG001
    if type(message) is not dict:
        return _NOTHING
    count = thought = 0
    calls = False
    for key, value in message.items():
        if not value:
            continue
        if key == "content":
            if type(value) is str:
                count += len(value)
            else:
                more, called = _read_blocks(value)
                count += more
                calls = calls or called
        elif key in _THOUGHTS:
            # A server that sends its reasoning under several names sends the same text each time.
            thought = max(thought, _length(value))
        elif key in _CALLS:
            calls = True
            count += _count_calls(value) if key == "tool_calls" else _count_function(value)
        elif key == "refusal":
            count += _length(value)
        elif key == "audio" and type(value) is dict:
            count += _length(value.get("transcript"))
    return count + thought, calls


def _count_calls(calls: Any) -> int:
    if type(calls) is not list:
        return 0
    return sum(_count_function(call.get("function") or call.get("custom")) for call in calls if type(call) is dict)


def _count_function(function: Any) -> int:
    """Count the name and the arguments of one call, which are text, or an object of their own."""
    if type(function) is not dict:
        return 0
    return sum(_weigh(function.get(name)) for name in ("name", "arguments", "args", "input"))


def _read_blocks(blocks: Any) -> Found:
    """Read the parts of a message: Anthropic's content, the output of `/responses` and its summaries."""
    if type(blocks) is str:
        return len(blocks), False
    count = 0
    calls = False
    if type(blocks) is list:
        for block in blocks:
            more, called = _read_block(block)
            count += more
            calls = calls or called
    return count, calls


def _read_block(block: Any) -> Found:
    if type(block) is not dict:
        return _NOTHING
    kind = block.get("type")
    count = sum(_length(block.get(name)) for name in ("text", "thinking", "refusal", "transcript"))
    if type(kind) is not str:
        return count, False
    # What a tool gave back is no output of the model.
    inner = None if kind.endswith(("_result", "_output")) else block.get("content") or block.get("summary")
    if type(inner) is list:
        count += sum(_read_block(part)[0] for part in inner if type(part) is dict and "content" not in part)
    return count + _count_function(block), kind.endswith(("_call", "tool_use"))


def _read_delta(delta: Any, event: Event) -> Found:
    """Read a delta of `/responses` (text), or of Anthropic (an object)."""
    if type(delta) is dict:
        text = delta.get("text")
        if type(text) is str:  # by far the most frequent
            return len(text), False
        return sum(_length(delta.get(name)) for name in ("text", "thinking", "partial_json")), False
    if type(delta) is not str:
        return _NOTHING
    kind = event.get("type")
    # Audio comes as base64 in the same field.
    return (0 if type(kind) is str and kind.endswith("audio.delta") else len(delta)), False


def _read_item(item: Any, event: Event) -> Found:
    """Read what an item of `/responses` begins with; when it is done its deltas have told the rest."""
    count, calls = _read_block(item)
    return (0 if event.get("type") == "response.output_item.done" else count), calls


def _read_response(response: Any, event: Event) -> Found:  # noqa: ARG001
    """Read Ollama's `/api/generate`; the object of `/responses` repeats what deltas have told."""
    if type(response) is dict:
        return 0, _read_blocks(response.get("output"))[1]
    return _length(response), False


def _read_candidates(candidates: Any, event: Event) -> Found:  # noqa: ARG001
    """Read Gemini's parts: text, thoughts among it, calls and code."""
    count = 0
    calls = False
    if type(candidates) is list:
        for candidate in candidates:
            content = candidate.get("content") if type(candidate) is dict else None
            parts = content.get("parts") if type(content) is dict else None
            for part in parts if type(parts) is list else ():
                if type(part) is dict:
                    call = part.get("functionCall")
                    code = part.get("executableCode")
                    count += _length(part.get("text")) + _count_function(call)
                    count += _length(code.get("code")) if type(code) is dict else 0
                    calls = calls or call is not None
    return count, calls


def _length(text: Any) -> int:
    return len(text) if type(text) is str else 0


def _weigh(value: Any) -> int:
    """Return about how long a value is when written as JSON, or the length of a text."""
    if type(value) is str:
        return len(value)
    return len(repr(value)) if value and type(value) in {dict, list} else 0


_READERS: Final[dict[str, Callable[[Any, Event], Found]]] = {
    "choices": _read_choices,
    "delta": _read_delta,
    "content_block": lambda block, _: _read_block(block),
    "item": _read_item,
    "output": lambda items, _: _read_blocks(items),
    "content": lambda blocks, _: _read_blocks(blocks),
    "message": _read_message,
    "response": _read_response,
    "candidates": _read_candidates,
    "thinking": lambda thought, _: (_length(thought), False),
}

KEYS: Final[frozenset[str]] = frozenset(_READERS)
"""The top-level keys that are looked at."""
