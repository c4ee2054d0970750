"""A program that supervises the children its argument describes, and prints what each tells: ``[name, status]``."""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenboard.observability import configure_logging
from tokenboard.supervisor import Child, Pace, Supervisor, public_listeners, unix_listener

PR_SET_CHILD_SUBREAPER = 36


def main(described: str) -> None:
    given = json.loads(described)
    configure_logging("json", process="supervisor")
    if given.get("ignore_hup"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if given.get("adopt"):
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    public = [child["name"] for child in given["children"] if child.get("public")]
    at_port = dict(zip(public, public_listeners("127.0.0.1", 0, len(public)), strict=True)) if public else {}
    at_file = {child["name"]: unix_listener(Path(child["socket"])) for child in given["children"] if "socket" in child}
    port = next(iter(at_port.values())).socket.getsockname()[1] if at_port else 0
    say("supervisor", {"pid": os.getpid(), "port": port})
    children = [
        Child(
            name=child["name"],
            argv=child.get("argv") or [sys.executable, "-m", "tests.supervisor.child", *child["run"]],
            group=child.get("group", 1),
            listeners={
                kind: found[child["name"]]
                for kind, found in (("public", at_port), ("socket", at_file))
                if child["name"] in found
            },
            end_within_s=child.get("end_within_s", 20.0),
            needs_files="socket" in child,
        )
        for child in given["children"]
    ]

    def hear(child: Child, said: Mapping[str, Any]) -> None:
        say(child.name, said)
        if given.get("fail_to_hear") and said.get("event") == "start":
            raise ValueError("a callback's own fault")

    pace = Pace(**given.get("pace", {}))
    sys.exit(asyncio.run(Supervisor(children, on_status=hear, pace=pace, reap_orphans=given.get("adopt")).run()))


def say(name: str, said: Mapping[str, Any]) -> None:
    print(json.dumps([name, said]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
