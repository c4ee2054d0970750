"""Which events end a stream, and which tell of an error, in a stream or a whole body."""

from enum import Enum
from typing import Any, Final

from tokenboard.usage.reading import Event


class Ending(Enum):
    """What an event says of the answer's end."""

    WHOLE = "whole"
    """It is the stream's terminal event."""
    FAILED = "failed"
    """It is the stream's terminal event, and an error."""
    ERROR = "error"
    """It tells of an error; some servers go on afterwards."""


# By the `type` of `/responses`, transcriptions, speech and Anthropic.
_TYPES: Final = {
    "response.completed": Ending.WHOLE,
    "response.incomplete": Ending.WHOLE,
    "response.failed": Ending.FAILED,
    "response.cancelled": Ending.FAILED,
    "transcript.text.done": Ending.WHOLE,
    "speech.audio.done": Ending.WHOLE,
    "image_generation.completed": Ending.WHOLE,
    "image_edit.completed": Ending.WHOLE,
    "message_stop": Ending.WHOLE,
    "error": Ending.ERROR,
}

KEYS: Final[frozenset[str]] = frozenset({"type", "done", "stop", "error", "object", "base_resp"})
"""The top-level keys that are looked at."""


def find_ending(event: Event) -> Ending | None:
    """Tell whether the event ends its stream, or tells of an error."""
    # Said by vLLM and Mistral.
    found = Ending.ERROR if event.get("object") == "error" else None
    for key, value in event.items():
        judge = _JUDGES.get(key)
        if judge is not None and value:
            ending = judge(value)
            if ending is not None and (found is None or found is Ending.WHOLE):
                found = ending
    return found


def _judge_type(kind: Any) -> Ending | None:
    return _TYPES.get(kind) if type(kind) is str else None


def _judge_end(value: Any) -> Ending | None:
    """Take the word of Ollama (`done`) and llama.cpp (`stop`)."""
    return Ending.WHOLE if value is True else None


def _judge_error(error: Any) -> Ending | None:
    """Presence is not content (rule 9): some servers send an empty error with every healthy event."""
    if type(error) is dict:
        told = [error[name] for name in ("message", "code") if name in error] or list(error.values())
        return Ending.ERROR if any(_says_something(value) for value in told) else None
    return Ending.ERROR if _says_something(error) else None


def _judge_base_response(response: Any) -> Ending | None:
    """Take the word of MiniMax."""
    return Ending.ERROR if type(response) is dict and _says_something(response.get("status_code")) else None


def _says_something(value: Any) -> bool:
    return bool(value.strip() not in {"", "0"} if type(value) is str else value)


_JUDGES: Final = {
    "type": _judge_type,
    "done": _judge_end,
    "stop": _judge_end,
    "error": _judge_error,
    "base_resp": _judge_base_response,
}
