"""Families of clients, told by the beginning of their User-Agent: who sends requests that name no app."""

from functools import lru_cache
from typing import Final

from tokenboard.attribution.url import decoded

NO_USER_AGENT: Final = "none"
OTHER: Final = "other"

FAMILIES: Final[tuple[tuple[str, str], ...]] = (
    ("claude-cli/", "claude-code"),
    ("claude-code/", "claude-code"),
    ("codex_cli_rs/", "codex"),
    ("codex_exec/", "codex"),
    ("codex-cli/", "codex"),
    ("codex/", "codex"),
    ("cline/", "cline"),
    ("roocode/", "roo-code"),
    ("kilo-code/", "kilo-code"),
    ("opencode/", "opencode"),
    ("pi/", "pi"),
    ("aider/", "aider"),
    ("geminicli/", "gemini-cli"),
    ("qwencode/", "qwen-code"),
    ("litellm/", "litellm"),
    ("langchain", "langchain"),
    ("langgraph", "langchain"),
    ("llama-index", "llama-index"),
    ("pydantic-ai/", "pydantic-ai"),
    ("ai-sdk/", "vercel-ai-sdk"),
    ("ai/", "vercel-ai-sdk"),
    ("asyncopenai/python", "openai-python"),
    ("openai/python", "openai-python"),
    ("openai/js", "openai-js"),
    ("asyncazureopenai/python", "openai-python"),
    ("azureopenai/python", "openai-python"),
    ("agents/python", "openai-agents"),
    ("asyncanthropic/python", "anthropic-python"),
    ("anthropic/python", "anthropic-python"),
    ("anthropic/js", "anthropic-js"),
    ("speakeasy-sdk/", "openrouter-sdk"),
    ("openrouter", "openrouter-sdk"),
    ("python-requests/", "python-requests"),
    ("python-httpx/", "python-httpx"),
    ("python-urllib", "python-urllib"),
    ("python/", "python-aiohttp"),
    ("curl/", "curl"),
    ("wget/", "wget"),
    ("postmanruntime/", "postman"),
    ("insomnia/", "insomnia"),
    ("go-http-client/", "go"),
    ("okhttp/", "okhttp"),
    ("java-http-client/", "java"),
    ("apache-httpclient/", "java"),
    ("axios/", "axios"),
    ("node-fetch", "node"),
    ("undici", "node"),
    ("node", "node"),
    ("bun/", "bun"),
    ("deno/", "deno"),
    ("mozilla/", "browser"),
)
"""Beginnings of User-Agent, in lower case, and the family each tells; the first that fits counts."""

_MAX_READ = 64


def client_family(user_agent: bytes | None) -> str:
    """Return the family of a client by its User-Agent: one of `FAMILIES`, ``other``, or ``none`` without one.

    The names are few and ours, so that a caller can count by them.
    """
    return NO_USER_AGENT if user_agent is None else _family(user_agent[:_MAX_READ])


@lru_cache(maxsize=1024)
def _family(start: bytes) -> str:
    text = decoded(start).strip().lower()
    if not text:
        return NO_USER_AGENT
    return next((family for prefix, family in FAMILIES if text.startswith(prefix)), OTHER)
