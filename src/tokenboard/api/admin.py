"""The Admin API, ``/admin/…``: what an operator changes over HTTP. Every route needs the scope ``admin``.

    request ─▶ key ─▶ body, bounded ─▶ FastAPI checks it ─▶ catalog, in a thread ─▶ audit log
               admin_auth                admin_views         admin_apps, admin_log, admin_keys

When a change is answered it is in force, in the very next answer of the rankings or for the very next check of a key:
the route waits until the follower has read the catalog again.
"""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from tokenboard.api import admin_apps, admin_counters, admin_gateways, admin_keys, admin_log
from tokenboard.api.admin_auth import admin_route
from tokenboard.api.services import Services

PREFIX = "/admin"
"""Where the Admin API lives below the API's base."""


def router(services: Services) -> APIRouter:
    """Return all routes of the Admin API."""
    routes = APIRouter(
        prefix=PREFIX,
        tags=["admin"],
        route_class=admin_route(services),
        generate_unique_id_function=_operation_id,
    )
    for part in (admin_apps, admin_log, admin_keys, admin_counters, admin_gateways):
        part.add_routes(routes, services)
    return routes


def _operation_id(route: APIRoute) -> str:
    """Return what a generated client calls a route: ``adminListApps``."""
    return "admin" + "".join(word.capitalize() for word in route.name.split("_"))
