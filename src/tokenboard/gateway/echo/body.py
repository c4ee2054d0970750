"""What was said: the texts of a request's body, in whichever of the shapes that clients use."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tokenboard.gateway.echo.words import count_words
from tokenboard.gateway.json_object import meaning
from tokenboard.problem import Problem

MAX_INPUTS = 2_048
"""Prompts of one completion, or inputs of one embedding, at most (OpenAI's own limit)."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be repeated, and the tokens of all that was sent."""

    text: str = field(repr=False)
    prompt: int


def decode(body: bytes) -> Body:
    """Return the body's members; raises Problem: 400."""
    try:
        members = meaning(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is not valid JSON: {error}.") from error
    assert isinstance(members, dict)  # noqa: S101 - the gateway has parsed it as an object
    return members


def read_conversation(messages: Any, member: str, instructions: Any = None) -> Said:
    """Return the last user message of a list of messages, and the words of all of them and of the instructions.

    ``member`` is the messages' name in the body, for the refusal. Raises Problem: 400.
    """
    prompt = count_conversation(messages, member, instructions)
    said = [message for message in messages if message.get("role") == "user"]
    if not said:
        message = 'tokenboard/echo repeats the last user message: send one with `role` "user".'
        raise Problem(400, message, param=member)
    return Said(read_text(said[-1].get("content")), prompt)


def count_conversation(messages: Any, member: str, instructions: Any = None) -> int:
    """Return the words of a list of messages, whoever said them, and of the instructions; as `read_conversation`."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Problem(400, f"`{member}` must be a list of objects with `role` and `content`.", param=member)
    texts = (read_text(content) for content in (*(message.get("content") for message in messages), instructions))
    return sum(map(count_words, texts))


def read_text(content: Any) -> str:
    """Return a message's text: a string as it is, of a list of parts the text of each."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str))


def read_inputs(value: Any, member: str) -> list[str]:
    """Return the texts of a string, a list of strings, a list of token numbers or a list of such lists.

    Token numbers stand for words: they are repeated as written. Raises Problem: 400.
    """
    inputs = value if isinstance(value, list) and not _are_tokens(value) else [value]
    texts = [_input(item) for item in inputs]
    if any(text is None for text in texts) or not texts:
        message = f"`{member}` must be a string, a list of token numbers, or a list of either; not empty."
        raise Problem(400, message, param=member)
    if len(texts) > MAX_INPUTS:
        raise Problem(400, f"`{member}` may hold {MAX_INPUTS:,} items at most.", param=member)
    return [text for text in texts if text is not None]


def _input(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return " ".join(map(str, value)) if isinstance(value, list) and _are_tokens(value) else None


def _are_tokens(values: Iterable[Any]) -> bool:
    """Tell whether a list is one input, of token numbers."""
    kinds = {type(value) for value in values}
    return kinds == {int}
