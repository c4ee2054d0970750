"""What the benchmark brings along for itself: system tools where it may, other gateways in a folder of its own.

Versions are exact, only ready-made packages are taken, and no install script of theirs is run. What cannot be
installed is told, and left out.
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".bench"
LITELLM = "1.106.12"
"""A version to be chosen with care: among the releases of this package were some with foreign code in them."""
PORTKEY = "1.15.2"
TENSORZERO = "2026.6.0"
_PORTKEY_NEEDS = {"@hono/node-server": "1.13.8"}
"""With the HTTP server that npm takes by itself, 1.19, every stream of this version is answered with 500."""

_INSTALL_WITHIN_S = 600


class Missing(Exception):
    """Something cannot be had on this machine; the text says why, in few words."""


def find_tool(name: str, package: str) -> str:
    """Return the path of a system tool; as root, where apt is, try to install it first.

    Raises:
        Missing: it is not there.

    """
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=places)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with contextlib.suppress(Missing):
            _run(["apt-get", "update"], "apt-get cannot update")
            _run(
                ["apt-get", "install", "--yes", "--no-install-recommends", package], f"apt-get cannot install {package}"
            )
        found = shutil.which(name, path=places)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def install_litellm() -> Path:
    """Return the folder of programs of an environment that holds LiteLLM's proxy.

    Raises:
        Missing: it cannot be installed.

    """
    return _environment("litellm", LITELLM, f"litellm[proxy]=={LITELLM}")


def install_tensorzero() -> Path:
    """Return the Python of an environment that holds TensorZero's gateway.

    Raises:
        Missing: it cannot be installed.

    """
    return _environment("tensorzero", TENSORZERO, f"tensorzero=={TENSORZERO}") / "python"


def install_portkey() -> Path:
    """Return the server program of Portkey's gateway, to be run by node.

    Raises:
        Missing: it cannot be installed.

    """
    folder = CACHE / f"portkey-{PORTKEY}"
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("node or npm is not installed")
    with _once(folder) as wanted:
        if wanted:
            wants = {"private": True, "dependencies": {"@portkey-ai/gateway": PORTKEY}, "overrides": _PORTKEY_NEEDS}
            (folder / "package.json").write_text(json.dumps(wants))
            options = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--silent"]
            _run([npm, "install", "--prefix", str(folder), *options], "npm cannot install it")
    return folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


def bare_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a program of others: nothing of ours in it but the search path."""
    home = CACHE / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8", **more}


def _environment(name: str, version: str, package: str) -> Path:
    """Return the folder of programs of an environment of our interpreter that holds a package.

    Another interpreter gets another one, so that all that is written in Python runs under the same.
    """
    interpreter = f"{platform.python_version()}-{zlib.crc32(sys.base_prefix.encode()):08x}"
    folder = CACHE / f"{name}-{version}-python-{interpreter}"
    with _once(folder) as wanted:
        if wanted:
            try:
                venv.create(folder, with_pip=True)
            except (OSError, subprocess.SubprocessError) as error:
                raise Missing("this Python makes no environments") from error
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
            _run([*pip, package], "pip cannot install it")
    return folder / "bin"


@contextlib.contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Tell whether a folder must still be filled; it counts as filled only when the block has come to its end."""
    done = folder / ".installed"
    if done.exists():
        yield False
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise Missing(f"the folder for it cannot be made: {error.strerror}") from error
    yield True
    done.touch()


def _run(command: list[str], refusal: str) -> None:
    """Run an installer; what it says goes to standard error."""
    try:
        subprocess.run(command, check=True, timeout=_INSTALL_WITHIN_S, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(refusal) from error
