"""The inference endpoints: their paths, their names in the ledger, and what differs between them.

How an answer is metered is not here: that is told by the answer's own shape, not by the path.
"""

from dataclasses import dataclass

import msgspec

from tokenboard.problem import Problem


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One inference endpoint.

    ``path`` is relative to a base, ``name`` the endpoint's name in the ledger, ``input`` the body's member that holds
    what the model is to work on. ``asks_usage``: a stream tells its usage only when asked by ``stream_options``
    (usage: rule 3). ``named_events``: clients read a stream's events by their ``event:`` line, and skip those without.
    """

    path: str
    name: str
    input: str
    asks_usage: bool = False
    named_events: bool = False

    def last_event(self, problem: Problem) -> bytes:
        """Return the event that ends a stream which has broken off: Anthropic's error event, or OpenAI's."""
        if not self.named_events:
            return b"data: " + problem.body() + b"\n\n"
        error = {"type": "api_error", "code": problem.status, "message": problem.message}
        return b"event: error\ndata: " + msgspec.json.encode({"type": "error", "error": error}) + b"\n\n"


CHAT = Endpoint("/chat/completions", "chat", "messages", asks_usage=True)
COMPLETIONS = Endpoint("/completions", "completions", "prompt", asks_usage=True)
EMBEDDINGS = Endpoint("/embeddings", "embeddings", "input")
RESPONSES = Endpoint("/responses", "responses", "input")
MESSAGES = Endpoint("/messages", "messages", "messages", named_events=True)

ENDPOINTS = (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES)
"""All of them; each answers POST under every base."""
