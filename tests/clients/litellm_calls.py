"""Run by the clients' own interpreter: LiteLLM, by each of its routes to a board."""

import json
import os
import sys
from typing import Any

import litellm

URL, KEY = os.environ["BOARD_URL"], os.environ["BOARD_KEY"]
ASKED: Any = [{"role": "user", "content": "repeat after me"}]
ROUTES = {
    "openrouter/tokenboard/echo": f"{URL}/api/v1",
    "openai/tokenboard/echo": f"{URL}/v1",
    "anthropic/tokenboard/echo": URL,
}


def main() -> None:
    told: dict[str, Any] = {"texts": {}, "streams": {}, "errors": {}}
    for model, base in ROUTES.items():
        asked: Any = {"api_base": base, "api_key": KEY, "messages": ASKED, "num_retries": 0, "max_tokens": 9}
        answer = litellm.completion(model=model, **asked)
        told["texts"][model] = [
            answer.choices[0].message.content,
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens,
        ]
        pieces = litellm.completion(model=model, stream=True, **asked)
        told["streams"][model] = "".join(piece.choices[0].delta.content or "" for piece in pieces)
        unknown = model.replace("tokenboard/echo", "nobody/serves-this")
        try:
            litellm.completion(model=unknown, **asked)
        except Exception as error:
            told["errors"][model] = [type(error).__name__, "is not a model served here" in str(error)]
    embedded = litellm.embedding(model="openai/tokenboard/echo", api_base=f"{URL}/v1", api_key=KEY, input=["one"])
    told["embedding"] = len(embedded.data[0]["embedding"])
    json.dump(told, sys.stdout)


main()
