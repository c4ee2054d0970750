"""Gateways, SDKs and quickstarts whose own URL stands for many apps that said nothing of themselves.

Their names are pinned: a proxy that joins its title with the client's ("liteLLM, Front") would rename them with every
other request.
"""

from types import MappingProxyType

from tokenboard.attribution.identity import AppIdentity

# Hosts, with everything under them, and the name each sends of itself.
_HOSTS = MappingProxyType(
    {
        "ai-sdk.dev": "Vercel AI SDK",
        "docs.langchain.com": "LangChain",
        "docs.litellm.ai": "liteLLM",
        "docs.llamaindex.ai": "LlamaIndex",
        "helicone.ai": "Helicone",
        "js.langchain.com": "LangChain.js",
        "langchain.com": "LangChain",
        "litellm.ai": "liteLLM",
        "llamaindex.ai": "LlamaIndex",
        "newapi.ai": "New API",
        "openrouter.ai": "OpenRouter",
        "portkey.ai": "portkey",
        "python.langchain.com": "LangChain",
        "sdk.vercel.ai": "Vercel AI SDK",
    }
)
# Single repositories that stand in default headers.
_REPOSITORIES = MappingProxyType(
    {
        "https://github.com/berriai/litellm": "liteLLM",
        "https://github.com/deepset-ai/haystack-core-integrations": "Haystack",
        "https://github.com/langchain-ai/langchain": "LangChain",
        "https://github.com/openrouter/examples": None,  # quickstarts, each with a title of its own
        "https://github.com/songquanpeng/one-api": "One API",
        "https://github.com/zwldarren/llm-proxy": "LLM Proxy",
    }
)


def is_intermediary(app: AppIdentity) -> bool:
    """Whether the URL is the default of a gateway, an SDK or a quickstart."""
    return _host(app) in _HOSTS or app.url in _REPOSITORIES


def intermediary_name(app: AppIdentity) -> str | None:
    """Return the pinned name of a known intermediary, None for any other app."""
    return _HOSTS.get(_host(app)) or _REPOSITORIES.get(app.url)


def _host(app: AppIdentity) -> str:
    return app.display_name.partition("/")[0]
