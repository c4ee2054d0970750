"""What `serve` prints once it answers: the URL, a key, and something to paste.

Code begins at the left margin, so that a shell takes it as it is copied; nothing needs to be pasted twice.
"""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tokenboard import BUILD_FORM

_SCOPES = "inference,data,ingest"
_NEW_KEY = "Your first key, shown this once:  {secret}"
_OLD_KEYS = """\
This folder has {keys} already. A key is shown once, when it is made. To list the keys, and to make one:

{tokenboard} keys list
{tokenboard} keys create --label me --scopes {scopes}"""
_WELCOME = """
tokenboard is ready at {url}
{form}

{key_lines}

A first request, to paste into another shell{model_note}:

export TOKENBOARD_KEY={key}
curl -s {url}/api/v1/chat/completions \\
  -H "Authorization: Bearer $TOKENBOARD_KEY" -H "Content-Type: application/json" \\
  -H "HTTP-Referer: https://nightowl.example" -H "X-OpenRouter-Title: Night Owl" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello, board!"}}]}}'

{where}

sleep 2; curl -s "{url}/api/v1/datasets/app-rankings?start_date=$(date -u +%F)&end_date=$(date -u +%F)" \\
  -H "Authorization: Bearer $TOKENBOARD_KEY"

The same from Python, after `pip install openai`:

python3 - <<'END'
import os
from openai import OpenAI

client = OpenAI(base_url="{url}/api/v1", api_key=os.environ["TOKENBOARD_KEY"])
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Hello, board!"}}],
    extra_headers={{"HTTP-Referer": "https://nightowl.example", "X-OpenRouter-Title": "Night Owl"}},
)
print(answer.choices[0].message.content)
END
"""


@dataclass(frozen=True, slots=True)
class Welcome:
    """A board that has just begun to answer at ``url``.

    ``secret`` is the key just made, None when the ``data`` folder had ``keys`` keys already. ``pages`` says whether
    anybody may see the pages, ``echo`` whether the built-in model answers.
    """

    url: str
    data: Path
    secret: str | None
    keys: int
    pages: bool
    echo: bool

    def text(self) -> str:
        """Return what is printed."""
        tokenboard = f"{invocation()} --data {shlex.quote(str(self.data))}"
        counted = f"{self.keys} key{'s' if self.keys != 1 else ''}"
        lines = (
            _OLD_KEYS.format(keys=counted, tokenboard=tokenboard, scopes=_SCOPES)
            if self.secret is None
            else _NEW_KEY.format(secret=self.secret)
        )
        # Not the start page: a board with completed days shows those there, and more than one app.
        page = f"{self.url}/apps?url=nightowl.example"
        seen = f"Its app is at {page} within two seconds, and" if self.pages else "Its app is within two seconds"
        return _WELCOME.format(
            url=self.url,
            form=BUILD_FORM,
            key_lines=lines,
            key=self.secret or "${TOKENBOARD_KEY:-tb-YOUR-KEY}",  # a good one in the shell stays
            model="tokenboard/echo" if self.echo else "YOUR-MODEL",
            model_note="" if self.echo else "; YOUR-MODEL is any of your upstreams'",
            where=f"{seen} in the ranking of today so far:",
        )


def invocation() -> str:
    """Return how a shell calls this program: as it was called, by a path that holds in every folder."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m tokenboard"
    found = shutil.which(called.name)
    if found is not None and called.exists() and Path(found).samefile(called):
        return shlex.quote(called.name)
    return shlex.quote(str(called.absolute()))
