"""Whether an answer calls a tool: told by the shape of the JSON, in documents and in the events of streams alike.

Chat: ``choices[].delta|message`` with tool_calls or function_call. Responses: an item in ``output``, ``item`` or
``response.output`` whose type ends in ``_call``. Messages: a block in ``content``, ``content_block`` or
``message.content`` whose type ends in ``tool_use``. Gemini: ``candidates[].content.parts[].functionCall``. Ollama:
``message.tool_calls``.
"""

from typing import Any

from tokenboard.usage.reading import Event


def calls_tool(event: Event) -> bool:
    """Tell whether the event, or whole body, holds at least one call of a tool or function."""
    choices = event.get("choices")
    if choices:
        return type(choices) is list and any(map(_choice_calls, choices))
    for key, calls in _PLACES:
        value = event.get(key)
        if value is not None and calls(value):
            return True
    return False


def _choice_calls(choice: Any) -> bool:
    return type(choice) is dict and (_message_calls(choice.get("delta")) or _message_calls(choice.get("message")))


def _message_calls(message: Any) -> bool:
    if type(message) is not dict:
        return False
    return bool(message.get("tool_calls") or message.get("function_call") or _items_call(message.get("content")))


def _item_calls(item: Any) -> bool:
    kind = item.get("type") if type(item) is dict else None
    return type(kind) is str and kind.endswith(("_call", "tool_use"))


def _items_call(items: Any) -> bool:
    return type(items) is list and any(map(_item_calls, items))


def _response_calls(response: Any) -> bool:
    return type(response) is dict and _items_call(response.get("output"))


def _candidates_call(candidates: Any) -> bool:
    if type(candidates) is not list:
        return False
    contents = (candidate.get("content") for candidate in candidates if type(candidate) is dict)
    parts = (content.get("parts") for content in contents if type(content) is dict)
    return any(
        type(part) is dict and part.get("functionCall") is not None
        for group in parts
        if type(group) is list
        for part in group
    )


_PLACES = (
    ("content_block", _item_calls),
    ("item", _item_calls),
    ("output", _items_call),
    ("content", _items_call),
    ("message", _message_calls),
    ("response", _response_calls),
    ("candidates", _candidates_call),
)

KEYS = frozenset({"choices", *(key for key, _ in _PLACES)})
"""The top-level keys that are looked at."""
