"""The official SDKs, unchanged, with nothing set but the base URL and a key; the ids of their requests are heard."""

from collections.abc import Iterator

import anthropic
import httpx
import openai
import openrouter
import pytest

from tests.board import BoardProcess
from tests.system.metering import Metering


@pytest.fixture
def metering(client: httpx.Client) -> Metering:
    return Metering(client)


@pytest.fixture
def openai_client(board: BoardProcess, key: str, metering: Metering) -> Iterator[openai.OpenAI]:
    http = openai.DefaultHttpx2Client(event_hooks={"response": [metering.note]})
    with openai.OpenAI(base_url=f"{board.url}/api/v1", api_key=key, max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture
def anthropic_client(board: BoardProcess, key: str, metering: Metering) -> Iterator[anthropic.Anthropic]:
    http = anthropic.DefaultHttpxClient(event_hooks={"response": [metering.note]})
    # Its paths begin with /v1 themselves.
    with anthropic.Anthropic(base_url=board.url, api_key=key, max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture
def openrouter_client(board: BoardProcess, key: str, metering: Metering) -> Iterator[openrouter.OpenRouter]:
    with (
        httpx.Client(event_hooks={"response": [metering.note]}) as http,
        openrouter.OpenRouter(server_url=f"{board.url}/api/v1", api_key=key, client=http) as client,
    ):
        yield client
