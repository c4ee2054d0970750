"""The composition root: settings in, a running board out.

    Settings ─▶ Board (all parts, wired once) ─▶ gateway, asgi (api | web) ─▶ serve (HTTP server, signals, drain)

The only place that knows every part. Nothing below it builds another part, reads the environment or keeps a global.
"""

from tokenboard.app.board import Board
from tokenboard.app.folder import DataFolder, FolderError, FolderInUse, RunningServer
from tokenboard.app.serve import ServeError, serve

__all__ = ["Board", "DataFolder", "FolderError", "FolderInUse", "RunningServer", "ServeError", "serve"]
