"""Ollama's own `/api/chat`, `/api/generate` and `/api/embed`.

prompt_eval_count and eval_count at the top level, when streaming on the NDJSON line with `done: true` (ollama,
docs/api.md). The server leaves zeros out of its JSON, and embeddings have no output: a prompt alone means no output.
"""

from tokenboard.usage.number import token_count
from tokenboard.usage.reading import Dialect, Ending, Event, Reading, known


def _read(event: Event) -> Reading:
    prompt = token_count(event.get("prompt_eval_count"))
    completion = token_count(event.get("eval_count"))
    if completion is None and prompt is not None and event.get("eval_count") is None:
        completion = 0
    return known(prompt=prompt, completion=completion)


def _count_message(event: Event) -> int:
    message = event["message"]
    if type(message) is not dict:
        return 0
    return sum(len(text) for text in (message.get("content"), message.get("thinking")) if type(text) is str)


def _count_response(event: Event) -> int:
    response = event["response"]
    return len(response) if type(response) is str else 0


DIALECT = Dialect(
    name="ollama-native",
    readers={"prompt_eval_count": _read, "eval_count": _read},
    texts={"message": _count_message, "response": _count_response},
    endings={("done", True): Ending.WHOLE},
)
