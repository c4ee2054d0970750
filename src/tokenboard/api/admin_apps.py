"""``/admin/apps`` and ``/admin/folds``: every app there is, and what an operator says of them."""

from typing import Annotated

from fastapi import APIRouter, Query

from tokenboard.api.admin_auth import Actor
from tokenboard.api.admin_views import (
    AdminApp,
    AdminAppDetail,
    AdminChange,
    AdminEntry,
    AdminFold,
    AdminFolded,
    CanonicalBody,
    CategoriesBody,
    Data,
    FoldBody,
    NameBody,
    Page,
    PageMeta,
    VisibilityBody,
)
from tokenboard.api.services import Services
from tokenboard.catalog import AuditEntry, Catalog, Visibility

PAGE_LIMIT = 1_000
SEARCH_LIMIT = 200

_ALIASES_SHOWN = 100
_ENTRIES_SHOWN = 50
_LAST_ID = 2**31 - 1

Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="Rows at most.")]
Offset = Annotated[int, Query(ge=0, le=_LAST_ID, description="Rows left out before them.")]


def add_routes(routes: APIRouter, services: Services) -> None:
    """Add the routes about apps and folds."""

    @routes.get("/apps")
    def list_apps(
        search: Annotated[str, Query(max_length=SEARCH_LIMIT, description="Part of a name or URL, any case.")] = "",
        visibility: Annotated[Visibility | None, Query(description="Only apps of this visibility.")] = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Page[AdminApp]:
        """List all apps by id, hidden ones and aliases included."""
        shown = None if visibility is None else [visibility]
        page = services.catalog.apps(search, visibilities=shown, limit=limit, offset=offset)
        meta = PageMeta(total=page.total, limit=limit, offset=offset)
        return Page(data=[AdminApp.of(app) for app in page.apps], meta=meta)

    @routes.get("/apps/lookup")
    def look_up(
        url: Annotated[
            str, Query(min_length=1, description="Any URL of the app.", examples=["https://nightowl.example"])
        ],
    ) -> Data[AdminApp]:
        """Find the app of a URL, by the attribution rules; an alias is answered as itself."""
        return Data(data=AdminApp.of(services.catalog.find(url)))

    @routes.get("/apps/{app_id}")
    def show_app(app_id: int) -> Data[AdminAppDetail]:
        """Show all that is known of an app."""
        return Data(data=_detail(services, app_id))

    @routes.get("/apps/{app_id}/aliases")
    def list_aliases(app_id: int, limit: Limit = 50, offset: Offset = 0) -> Page[AdminApp]:
        """List every app that leads to this one, directly or over others, by id."""
        page = services.catalog.alias_page(app_id, limit=limit, offset=offset)
        meta = PageMeta(total=page.total, limit=limit, offset=offset)
        return Page(data=[AdminApp.of(app) for app in page.apps], meta=meta)

    @routes.put("/apps/{app_id}/name")
    def rename(app_id: int, body: NameBody, actor: Actor) -> Data[AdminChange]:
        """Name an app and pin the name: headers no longer change it."""
        return changed(services.catalog, services.catalog.rename(app_id, body.name, actor))

    @routes.delete("/apps/{app_id}/name")
    def unpin(app_id: int, actor: Actor) -> Data[AdminChange]:
        """Let headers name the app again."""
        return changed(services.catalog, services.catalog.unpin(app_id, actor))

    @routes.put("/apps/{app_id}/visibility")
    def show_to(app_id: int, body: VisibilityBody, actor: Actor) -> Data[AdminChange]:
        """Publish an app, hide it, or make it private."""
        catalog = services.catalog
        match body.visibility:
            case Visibility.PUBLIC:
                entry = catalog.publish(app_id, actor)
            case Visibility.HIDDEN:
                entry = catalog.hide(app_id, actor)
            case Visibility.PRIVATE:
                entry = catalog.set_private(app_id, actor)
        return changed(catalog, entry)

    @routes.put("/apps/{app_id}/categories")
    def categorize(app_id: int, body: CategoriesBody, actor: Actor) -> Data[AdminChange]:
        """Set an app's categories and pin them: headers no longer change them."""
        return changed(services.catalog, services.catalog.categorize(app_id, body.categories, actor))

    @routes.delete("/apps/{app_id}/categories")
    def uncategorize(app_id: int, actor: Actor) -> Data[AdminChange]:
        """Let headers give the app its categories again."""
        return changed(services.catalog, services.catalog.uncategorize(app_id, actor))

    @routes.put("/apps/{app_id}/canonical")
    def merge(app_id: int, body: CanonicalBody, actor: Actor) -> Data[AdminChange]:
        """Count the app's usage, past and future, for another."""
        into = services.catalog.find(body.into).id
        return changed(services.catalog, services.catalog.merge(app_id, into, actor))

    @routes.delete("/apps/{app_id}/canonical")
    def unmerge(app_id: int, actor: Actor) -> Data[AdminChange]:
        """Make an alias an app of its own again, also where its host is folded."""
        return changed(services.catalog, services.catalog.unmerge(app_id, actor))

    @routes.get("/folds")
    def list_folds(limit: Limit = 50, offset: Offset = 0) -> Page[AdminFold]:
        """List the folded hosts, by host."""
        folds = services.catalog.folds()
        meta = PageMeta(total=len(folds), limit=limit, offset=offset)
        return Page(data=[AdminFold.of(fold) for fold in folds[offset : offset + limit]], meta=meta)

    @routes.put("/folds")
    def fold(body: FoldBody, actor: Actor) -> Data[AdminFolded]:
        """Let all paths of a host, those seen so far and those to come, count for one app."""
        into = None if body.into is None else services.catalog.find(body.into).id
        return Data(data=AdminFolded.of(services.catalog.fold(body.host, actor, into=into)))

    @routes.delete("/folds")
    def unfold(
        host: Annotated[str, Query(min_length=1, description="The host, or any URL of it.", examples=["example.com"])],
        actor: Actor,
    ) -> Data[AdminFolded]:
        """Make the apps of a folded host apps of their own again."""
        return Data(data=AdminFolded.of(services.catalog.unfold(host, actor)))


def changed(catalog: Catalog, entry: AuditEntry) -> Data[AdminChange]:
    """Return what a change came to."""
    app = catalog.app(entry.app_id or 0)
    return Data(data=AdminChange(entry=AdminEntry.of(entry), app=AdminApp.of(app)))


def _detail(services: Services, app_id: int) -> AdminAppDetail:
    catalog = services.catalog
    app = catalog.app(app_id)
    aliases = catalog.alias_page(app_id, limit=_ALIASES_SHOWN)
    log = catalog.log_page(_ENTRIES_SHOWN, app_id=app_id)
    # The roster catches up with the catalog before it answers, and an app is never forgotten.
    place = services.rankings.app(app_id)
    return AdminAppDetail.known(
        app,
        root_id=app_id if place is None else place.root_id,
        listed=place is not None and place.visible,
        effective_categories=() if place is None else place.categories,
        titles=catalog.titles(app_id),
        aliases=aliases.apps,
        aliases_total=aliases.total,
        log=log.entries,
        log_total=log.total,
    )
