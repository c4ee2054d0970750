"""``/admin/log``: who changed what, and taking it back."""

from typing import Annotated

from fastapi import APIRouter, Query

from tokenboard.api.admin_apps import Limit, Offset, changed
from tokenboard.api.admin_auth import Actor
from tokenboard.api.admin_views import AdminChange, AdminEntry, Data, Page, PageMeta
from tokenboard.api.services import Services


def add_routes(routes: APIRouter, services: Services) -> None:
    """Add the routes about the audit log."""

    @routes.get("/log")
    def list_entries(
        app_id: Annotated[int | None, Query(description="Only entries about this app.")] = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Page[AdminEntry]:
        """List who changed what, the newest first."""
        page = services.catalog.log_page(limit, offset, app_id=app_id)
        meta = PageMeta(total=page.total, limit=limit, offset=offset)
        return Page(data=[AdminEntry.of(entry) for entry in page.entries], meta=meta)

    @routes.get("/log/{entry_id}")
    def show_entry(entry_id: int) -> Data[AdminEntry]:
        """Show one entry."""
        return Data(data=AdminEntry.of(services.catalog.entry(entry_id)))

    @routes.post("/log/{entry_id}/undo")
    def undo(entry_id: int, actor: Actor) -> Data[AdminChange]:
        """Take back one entry; an undo is an entry too and can be taken back."""
        return changed(services.catalog, services.catalog.undo(entry_id, actor))
