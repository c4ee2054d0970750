"""The composition root: settings in, running processes out.

    `supervise` ─▶ `serve`: the board's process (`board`, `stores`), or everything in one
              └▶ `gateway`: a gateway's process (`data_plane`), any number of them

The only place that knows every part. Nothing below it builds another part, reads the environment or keeps a global.
Import from its modules directly: a command that needs only the folder or a store must not load the server.
"""
