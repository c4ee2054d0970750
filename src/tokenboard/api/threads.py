"""Which threads the API's blocking routes run in: each part has its own, and none the framework's shared forty."""

from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction, signature
from typing import Any

from fastapi.routing import APIRoute

from tokenboard.workers import Workers

THREADS = 8
"""Threads of one part, unless it says otherwise."""


def route_in(workers: Workers, base: type[APIRoute] = APIRoute) -> type[APIRoute]:
    """Return the class of routes whose blocking functions run in these threads; coroutines stay on the loop."""

    class Route(base):  # type: ignore[misc, valid-type]
        def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
            super().__init__(path, _in(workers, endpoint), **given)

    return Route


def _in(workers: Workers, endpoint: Callable[..., Any]) -> Callable[..., Any]:
    # A router that is included in another makes its routes again, of functions that are wrapped already.
    if iscoroutinefunction(endpoint):
        return endpoint

    async def answer(**given: Any) -> Any:
        return await workers.run(partial(endpoint, **given))

    # Not functools.wraps: FastAPI would look through it, and see a function that blocks.
    answer.__name__ = answer.__qualname__ = endpoint.__name__
    answer.__doc__ = endpoint.__doc__
    answer.__module__ = endpoint.__module__
    answer.__signature__ = signature(endpoint)  # type: ignore[attr-defined]
    return answer
