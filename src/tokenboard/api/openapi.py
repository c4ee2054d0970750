"""The OpenAPI 3.1 document."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi

from tokenboard import __version__
from tokenboard.api.openapi_operations import needs, operations, refusals
from tokenboard.api.openapi_schemas import SCHEMAS
from tokenboard.keys import Scope
from tokenboard.workers import Workers

THREADS = 2
_BASE = "/api/v1"
_ADMIN = f"{_BASE}/admin"
_DESCRIPTION = (
    "Which apps use which models, and how much. Every address below /api/v1 takes `Authorization: Bearer <key>`; the "
    "inference endpoints answer under /v1 too. An operation's security names the scope that its key needs. Figures "
    "that may pass 2^53 are decimal strings. /docs/api has all this as a page to read."
)
_HEALTH = {
    "/healthz": ("getHealth", "The process lives", "200"),
    "/readyz/gateway": ("getGatewayReadiness", "Inference is taken, whatever becomes of the board", "503"),
    "/readyz": ("getReadiness", "The stores answer and the spool has room", "503"),
}


def router(document: Callable[[], bytes]) -> APIRouter:
    """Return the route of the document, JSON, under its base. It is public."""
    routes = APIRouter(include_in_schema=False)
    workers = Workers("documents", THREADS)

    @routes.get(f"{_BASE}/openapi.json")
    async def openapi() -> Response:
        body = await workers.run(document)
        return Response(body, headers={"Cache-Control": "public, max-age=300"}, media_type="application/json")

    return routes


def describe(api: FastAPI) -> dict[str, Any]:
    """Return the document of an application: what FastAPI knows of the Admin API, and what is written by hand."""
    generated = get_openapi(title="tokenboard", version=__version__, openapi_version="3.1.0", routes=api.routes)
    paths: dict[str, Any] = dict(operations())
    admin = {path: methods for path, methods in generated.get("paths", {}).items() if path.startswith(_ADMIN)}
    for path, methods in admin.items():
        paths[path.removeprefix(_BASE)] = {method: _admin(given) for method, given in methods.items()}
    paths |= {path: _health(*given) for path, given in _HEALTH.items()}
    for path, item in paths.items():
        for operation in item.values():
            if isinstance(operation, dict):
                # What the HTTP server itself refuses, on every address.
                schema = "MessagesError" if path.startswith("/messages") else "Error"
                operation["responses"] |= refusals(414, 431, schema=schema)
    schemas = generated.get("components", {}).get("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tokenboard",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": _BASE}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS | schemas,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of this board; `tokenboard keys create` makes one.",
                }
            },
        },
    }


def _admin(generated: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in generated.items() if name != "description"}
    # FastAPI makes its summary of the function's name; what the operation does is said by the function's docstring.
    given["summary"] = generated["description"].removesuffix(".")
    answers = {
        status: answer | {"description": "It is made." if status == "201" else "As it is now."}
        for status, answer in generated["responses"].items()
        if status != "422"
    }
    given["responses"] = refusals(400, 401, 403, 404, 409, 413, 503) | answers
    given["tags"] = ["Admin"]
    given["security"] = needs(Scope.ADMIN)
    return given


def _health(operation_id: str, summary: str, other: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    answers = {status: {"description": "How things stand.", "content": content} for status in ("200", other)}
    operation = {
        "operationId": operation_id,
        "summary": summary,
        "tags": ["Health"],
        "security": [],
        "responses": answers,
    }
    return {"servers": [{"url": "/"}], "get": operation}
