"""Clients that name no app are told apart by their User-Agent, by a few names of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.attribution import client_family
from tokenboard.attribution.clients import FAMILIES, NO_USER_AGENT, OTHER


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        (b"claude-cli/2.1.197 (external, cli)", "claude-code"),
        (b"codex_cli_rs/0.171.0 (Debian 12; x86_64)", "codex"),
        (b"Cline/3.0.65", "cline"),
        (b"opencode/1.18.33", "opencode"),
        (b"AsyncOpenAI/Python 3.54.0", "openai-python"),
        (b"OpenAI/Python 3.54.0", "openai-python"),
        (b"OpenAI/JS 6.49.0", "openai-js"),
        (b"Anthropic/JS 1.14.0", "anthropic-js"),
        (b"litellm/1.106.12", "litellm"),
        (b"langchain-openai/1.7.4", "langchain"),
        (b"ai-sdk/openai/3.0.141 runtime/node.js", "vercel-ai-sdk"),
        (b"curl/8.5.0", "curl"),
        (b"Mozilla/5.0 (X11; Linux x86_64)", "browser"),
        (b"  CURL/8", "curl"),
        (b"my-own-thing/1", OTHER),
        (b"", NO_USER_AGENT),
        (b" ", NO_USER_AGENT),
        (None, NO_USER_AGENT),
    ],
)
def test_a_client_is_known_by_how_its_user_agent_begins(user_agent: bytes | None, family: str) -> None:
    assert family == client_family(user_agent)


@given(st.binary(max_size=200))
def test_whatever_a_client_calls_itself_the_names_are_few(user_agent: bytes) -> None:
    assert client_family(user_agent) in {OTHER, NO_USER_AGENT, *(family for _, family in FAMILIES)}
