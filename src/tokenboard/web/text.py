"""How names, hosts and paths are written on pages."""

import re
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

_LABELS = {
    "cli-agent": "CLI agent",
    "ide-extension": "IDE extension",
    "cloud-agent": "Cloud agent",
    "programming-app": "Programming app",
    "native-app-builder": "Native app builder",
    "creative-writing": "Creative writing",
    "video-gen": "Video generation",
    "image-gen": "Image generation",
    "audio-gen": "Audio generation",
    "writing-assistant": "Writing assistant",
    "general-chat": "General chat",
    "personal-agent": "Personal agent",
    "legal": "Legal",
    "roleplay": "Roleplay",
    "game": "Game",
}


def label_of(category: str) -> str:
    """Return how a category or a group of them is called on pages."""
    return _LABELS.get(category, category.replace("-", " ").capitalize())


def host_of(url: str) -> str:
    """Return a URL as pages show it beside an app's name: without scheme, and without the slash at its end."""
    return url.partition("://")[2].rstrip("/") or url


def is_web(url: str) -> bool:
    """Whether a browser can follow the URL safely."""
    return urlsplit(url).scheme in {"http", "https"}


def path_of(model: str) -> str:
    """Return a model's name as part of a path: its slash stays, all else that has a meaning in URLs is encoded.

    Letters beyond ASCII stay as they are, as in an IRI (RFC 3987): encoded, they would be three times as long.
    """
    return "".join(
        letter if letter.isprintable() and not letter.isascii() else quote(letter, safe="/:@-._~!$&'()*+,;=")
        for letter in model
    )


def with_code(text: str) -> Markup:
    """Return a text as HTML: escaped, and what stands between back-ticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped, but for our own tags
