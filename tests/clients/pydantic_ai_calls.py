"""Run by the clients' own interpreter: pydantic-ai's models that speak to a board."""

import asyncio
import json
import os
import sys
from typing import Any

import pydantic_ai
from openai import AsyncOpenAI
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openrouter import OpenRouterProvider

URL, KEY = os.environ["BOARD_URL"], os.environ["BOARD_KEY"]
ASKED = "repeat after me"


def models(name: str) -> dict[str, Any]:
    openai = OpenAIProvider(base_url=f"{URL}/v1", api_key=KEY)
    client = AsyncOpenAI(base_url=f"{URL}/api/v1", api_key=KEY, max_retries=0)
    return {
        "openrouter": OpenRouterModel(name, provider=OpenRouterProvider(openai_client=client)),
        "chat": OpenAIChatModel(name, provider=openai),
        "responses": OpenAIResponsesModel(name, provider=openai),
        "anthropic": AnthropicModel(name, provider=AnthropicProvider(base_url=URL, api_key=KEY)),
    }


async def main() -> None:
    told: dict[str, Any] = {"texts": {}, "streams": {}, "errors": {}}
    for name, model in models("tokenboard/echo").items():
        agent = pydantic_ai.Agent(model)
        answer = await agent.run(ASKED)
        told["texts"][name] = [answer.output, answer.usage.input_tokens, answer.usage.output_tokens]
        async with agent.run_stream(ASKED) as stream:
            told["streams"][name] = await stream.get_output()
    for name, model in models("nobody/serves-this").items():
        try:
            await pydantic_ai.Agent(model).run(ASKED)
        except ModelHTTPError as error:
            told["errors"][name] = [error.status_code, "is not a model served here" in str(error)]
    json.dump(told, sys.stdout)


asyncio.run(main())
