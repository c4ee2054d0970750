"""The data plane: a gateway with its journal, in a process of its own or in the board's."""

import os
from collections.abc import Callable
from pathlib import Path

from tokenboard.app.upstreams import open_upstreams
from tokenboard.attribution import AttributionOptions
from tokenboard.auth import Auth
from tokenboard.config import Settings
from tokenboard.control import Fault, GatewayState
from tokenboard.gateway import Gateway
from tokenboard.intake import EventLog, Intake
from tokenboard.journal import BoundedJournal, JournalWriter
from tokenboard.observability import Counters


def _as_it_is(journal: BoundedJournal) -> EventLog:
    return journal


class DataPlane:
    """One gateway with its own upstreams, and its journal ``name`` in the spool's folder.

    ``guarded`` puts what else decides whether new work is taken before the journal.

    Raises:
        ConfigError: an upstream cannot be as the settings have it.
        SpoolDamaged, SpoolUnavailable: the journal cannot be used.

    """

    def __init__(
        self,
        settings: Settings,
        data: Path,
        name: str,
        *,
        base_url: str,
        auth: Auth,
        options: AttributionOptions,
        counters: Counters,
        clock_ms: Callable[[], int],
        guarded: Callable[[BoundedJournal], EventLog] = _as_it_is,
    ) -> None:
        self.name = name
        self.counters = counters
        upstreams = open_upstreams(settings, base_url, data)
        folder = settings.spool_folder(data) / name
        self.journal = BoundedJournal(
            JournalWriter(folder, fsync=settings.spool.fsync, clock_ms=clock_ms),
            folder,
            max_bytes=settings.spool.max_bytes,
        )
        self.gateway = Gateway(
            auth=auth,
            intake=Intake(guarded(self.journal), counters),
            upstreams=upstreams,
            options=options,
            clock_ms=clock_ms,
            max_body=settings.gateway.max_body,
            drain_s=settings.gateway.drain_timeout_s if settings.gateway.on_disconnect == "drain" else None,
            send_timeout_s=settings.gateway.send_timeout_s,
            counters=counters,
            cors_origin=settings.data_api.cors or None,
        )

    def state(self, *, run: str, revision: int, counters: bool) -> GatewayState:
        """Return its state with the given snapshot revision; ``counters``: with its counters."""
        fault = self.journal.fault()
        committed = self.journal.committed()
        return GatewayState(
            name=self.name,
            pid=os.getpid(),
            run=run,
            revision=revision,
            journal=self.journal.id,
            events=committed.events,
            bytes=committed.bytes,
            full=not self.journal.has_room(),
            fault=None if fault is None else Fault(fault.since_ms, fault.what, fault.hint),
            counters=dict(self.counters.read()) if counters else {},
        )

    async def aclose(self) -> bool:
        """Close upstreams and journal; return whether all usage could be written to the journal."""
        await self.gateway.aclose()
        sound = self.journal.sound
        self.journal.close()
        return sound
