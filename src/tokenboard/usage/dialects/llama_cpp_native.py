"""llama.cpp's own `/completion`.

tokens_evaluated (the prompt) and tokens_predicted at the top level, when streaming on the event with `stop: true`
(llama.cpp, tools/server/README.md). tokens_cached is left alone: it is the fill of the slot's cache, output included.
"""

from tokenboard.usage.number import token_count
from tokenboard.usage.reading import Dialect, Ending, Event, Reading, known


def _read(event: Event) -> Reading:
    return known(
        prompt=token_count(event.get("tokens_evaluated")), completion=token_count(event.get("tokens_predicted"))
    )


def _count_text(event: Event) -> int:
    content = event["content"]
    return len(content) if type(content) is str else 0


DIALECT = Dialect(
    name="llama-cpp-native",
    readers={"tokens_evaluated": _read, "tokens_predicted": _read},
    texts={"content": _count_text},
    endings={("stop", True): Ending.WHOLE},
)
