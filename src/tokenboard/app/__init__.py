"""The composition root: settings in, a running board out.

    Settings ─▶ Board (all parts, wired once) ─▶ gateway, asgi (api | web) ─▶ serve (HTTP server, signals, drain)

The only place that knows every part. Nothing below it builds another part, reads the environment or keeps a global. Its
names are imported from the modules they are in: a command that needs the folder or a store does not load the server.
"""
