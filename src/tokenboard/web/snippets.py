"""Code to copy: how a client sends its app's headers to this board, for the libraries that people use."""

import json
import shlex
from dataclasses import dataclass

APP_URL = "https://nightowl.example"
APP_TITLE = "Night Owl"
CATEGORIES = "cli-agent"
KEY_VARIABLE = "TOKENBOARD_KEY"
"""The environment variable in which the snippets look for a key, so that none is ever pasted into code."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """``name`` is the library's, ``language`` is sh, python or typescript, ``install`` what installs the library."""

    name: str
    anchor: str
    language: str
    install: str
    code: str


def snippets(base_url: str, model: str) -> tuple[Snippet, ...]:
    """Return the snippets for a board at a base URL, complete programs that ask ``model`` one question."""
    endpoint = f"{base_url}/api/v1"
    names = {
        "endpoint": json.dumps(endpoint),
        "model": json.dumps(model),
        "litellm_model": json.dumps(f"openai/{model}"),
        "url": json.dumps(APP_URL),
        "title": json.dumps(APP_TITLE),
        "categories": json.dumps(CATEGORIES),
        "key": json.dumps(KEY_VARIABLE),
    }
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello, board!"}]})
    curl = _CURL.format(
        chat=shlex.quote(f"{endpoint}/chat/completions"),
        variable=KEY_VARIABLE,
        url=APP_URL,
        title=APP_TITLE,
        categories=CATEGORIES,
        body=shlex.quote(body),
    )
    return (
        Snippet("curl", "curl", "sh", "", curl),
        Snippet("OpenAI SDK, Python", "openai-python", "python", "pip install openai", _filled(_OPENAI, names)),
        Snippet(
            "OpenAI SDK, TypeScript",
            "openai-typescript",
            "typescript",
            "npm install openai",
            _filled(_OPENAI_TYPESCRIPT, names),
        ),
        Snippet(
            "OpenRouter SDK, Python", "openrouter", "python", "pip install openrouter", _filled(_OPENROUTER, names)
        ),
        Snippet("LangChain", "langchain", "python", "pip install langchain-openai", _filled(_LANGCHAIN, names)),
        Snippet("LiteLLM", "litellm", "python", "pip install litellm", _filled(_LITELLM, names)),
    )


def _filled(template: str, names: dict[str, str]) -> str:
    """Return a template with each ``@name@`` replaced: by a literal that Python and TypeScript read alike."""
    for name, literal in names.items():
        template = template.replace(f"@{name}@", literal)
    return template


_CURL = """\
curl -s {chat} \\
  -H "Authorization: Bearer ${variable}" \\
  -H "Content-Type: application/json" \\
  -H "HTTP-Referer: {url}" \\
  -H "X-OpenRouter-Title: {title}" \\
  -H "X-OpenRouter-Categories: {categories}" \\
  -d {body}
"""

_OPENAI = """\
import os

from openai import OpenAI

client = OpenAI(
    base_url=@endpoint@,
    api_key=os.environ[@key@],
    default_headers={
        "HTTP-Referer": @url@,
        "X-OpenRouter-Title": @title@,
        "X-OpenRouter-Categories": @categories@,
    },
)
answer = client.chat.completions.create(
    model=@model@,
    messages=[{"role": "user", "content": "Hello, board!"}],
)
print(answer.choices[0].message.content)
"""

_OPENAI_TYPESCRIPT = """\
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: @endpoint@,
  apiKey: process.env[@key@],
  defaultHeaders: {
    "HTTP-Referer": @url@,
    "X-OpenRouter-Title": @title@,
    "X-OpenRouter-Categories": @categories@,
  },
});
const answer = await client.chat.completions.create({
  model: @model@,
  messages: [{ role: "user", content: "Hello, board!" }],
});
console.log(answer.choices[0].message.content);
"""

_OPENROUTER = """\
import os

from openrouter import OpenRouter

with OpenRouter(
    server_url=@endpoint@,
    api_key=os.environ[@key@],
    http_referer=@url@,
    x_open_router_title=@title@,
    x_open_router_categories=@categories@,
) as client:
    answer = client.chat.send(
        model=@model@,
        messages=[{"role": "user", "content": "Hello, board!"}],
    )
    print(answer.choices[0].message.content)
"""

_LANGCHAIN = """\
import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model=@model@,
    base_url=@endpoint@,
    api_key=os.environ[@key@],
    default_headers={
        "HTTP-Referer": @url@,
        "X-OpenRouter-Title": @title@,
        "X-OpenRouter-Categories": @categories@,
    },
)
print(model.invoke("Hello, board!").content)
"""

_LITELLM = """\
import os

import litellm

# openai/ tells LiteLLM how to ask; the rest is the model's name here
answer = litellm.completion(
    model=@litellm_model@,
    api_base=@endpoint@,
    api_key=os.environ[@key@],
    messages=[{"role": "user", "content": "Hello, board!"}],
    extra_headers={
        "HTTP-Referer": @url@,
        "X-OpenRouter-Title": @title@,
        "X-OpenRouter-Categories": @categories@,
    },
)
print(answer.choices[0].message.content)
"""
