"""A process for a supervisor to keep: it tells what happens to it as its status, and behaves as its argument says.

serve       ready; answers each connection with its name and id; ends on SIGTERM or when the lifeline is cut
patient     ready; ends on the second SIGTERM
deaf        ready; SIGTERM does nothing
flaky N     ready; exits with N at once
refuse N    exits with N without having been ready
once FILE   ready and exits with 1 in its first run (FILE is not there yet); in later ones exits with 1 before that
die FILE    killed by a signal before it is ready in its first run; in later ones as serve
babble      tells things that are no status, then as serve
parent      ready; starts a process and leaves it alone; then as serve
leaky       ready; starts a process that inherits whatever it may, which tells its open descriptors; then as serve
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tokenboard.supervisor import Supervised

LIST_DESCRIPTORS = "import os; print(*sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1])"


def descriptors() -> dict[int, str]:
    """Return the open descriptors and what each leads to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}").partition(":")[0]
        except OSError:
            continue  # the one by which the folder was read
    return found


def main(mode: str, argument: str = "") -> None:
    opened = descriptors()
    child = Supervised.from_environment(os.environ)
    assert child is not None
    status = child.status
    status.say({"event": "start", "pid": os.getpid(), "at": time.monotonic(), "sid": os.getsid(0)})
    status.say({"event": "descriptors", "opened": opened})
    if mode == "refuse":
        print(f"error: {child.name} refuses", file=sys.stderr)
        sys.exit(int(argument))
    if mode in {"once", "die"}:
        first = not Path(argument).exists()
        Path(argument).touch()
        if first and mode == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "once":
            if first:
                status.ready()
            sys.exit(1)
    if mode == "babble":
        descriptor = status._descriptor
        for line in (b"no json\n", b"[1]\n", b"[" * 3000 + b"\n", b'{"half": ', b'"whole"}\n'):
            os.write(descriptor, line)
    asyncio.run(serve(child, mode, argument))


def leave_alone() -> None:
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(0.5)"], start_new_session=True)


def inherited_by_a_child() -> list[str]:
    command = [sys.executable, "-S", "-c", LIST_DESCRIPTORS]
    return subprocess.run(command, check=True, close_fds=False, stdout=subprocess.PIPE, text=True).stdout.split()


async def serve(child: Supervised, mode: str, argument: str) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    signals = []

    def on_term() -> None:
        signals.append(signal.SIGTERM)
        child.status.say({"event": "term"})
        if mode != "deaf" and (mode != "patient" or len(signals) == 2):
            ended.set()

    def on_cut() -> None:
        child.status.say({"event": "cut"})
        if argument and mode != "flaky":  # whose argument is an exit code
            Path(argument).write_text("cut")
        ended.set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{child.name} {os.getpid()}".encode())
        await writer.drain()
        writer.close()

    loop.add_signal_handler(signal.SIGTERM, on_term)
    child.lifeline.watch(loop, on_cut)
    for listener in child.listeners.values():
        await asyncio.start_server(answer, sock=listener)
    child.status.ready(pid=os.getpid())
    if mode == "flaky":
        sys.exit(int(argument))
    if mode == "parent":
        leave_alone()
        child.status.say({"event": "left alone"})
    if mode == "leaky":
        child.status.say({"event": "inherited", "by": inherited_by_a_child()})
    await ended.wait()
    child.status.say({"event": "end"})


if __name__ == "__main__":
    main(*sys.argv[1:])
