"""What several boards share beside their stores: counts and sessions, in a Redis server.

    board 1 ──┐                                        ┌─ script: room in every window? then count in all
              ├─▶ SharedStore ─▶ Redis (or Valkey) ────┤
    board 2 ──┘      │                                 └─ keys that end by themselves
                     └─ away: SharedUnavailable, at once; counted, logged at a bounded rate

Nothing else in the program imports redis, and this package only once `[shared] redis` is set.
"""

from tokenboard.shared.store import Script, SharedStore, SharedUnavailable

__all__ = ["Script", "SharedStore", "SharedUnavailable"]
