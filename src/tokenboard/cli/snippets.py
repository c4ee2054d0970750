"""What `serve` prints once it answers: the URL, a key, and something to paste."""

import shlex
from pathlib import Path

_WELCOME = """
tokenboard is ready at {url}

  {key_line}

Try it (paste twice, then ask who used what today):

  export TOKENBOARD_KEY={key}

  curl -s {url}/api/v1/chat/completions \\
    -H "Authorization: Bearer $TOKENBOARD_KEY" -H "Content-Type: application/json" \\
    -H "HTTP-Referer: https://myapp.example" -H "X-OpenRouter-Title: My App" \\
    -d '{{"model": "tokenboard/echo", "messages": [{{"role": "user", "content": "Hello, board!"}}]}}'

  curl -s "{url}/api/v1/datasets/app-rankings?start_date=$(date -u +%F)&end_date=$(date -u +%F)" \\
    -H "Authorization: Bearer $TOKENBOARD_KEY"

Or from Python (pip install openai):

  from openai import OpenAI
  client = OpenAI(base_url="{url}/api/v1", api_key="{key}")
  answer = client.chat.completions.create(
      model="tokenboard/echo",
      messages=[{{"role": "user", "content": "Hello, board!"}}],
      extra_headers={{"HTTP-Referer": "https://myapp.example", "X-OpenRouter-Title": "My App"}},
  )
  print(answer.choices[0].message.content)
"""


def welcome(url: str, secret: str | None, data: Path) -> str:
    """Return the text; ``secret`` is the first key, or None when keys exist already."""
    if secret is None:
        folder = shlex.quote(str(data))
        line = f"Make a key:  tokenboard --data {folder} keys create --label me --scopes inference,data,ingest"
    else:
        line = f"Your first key, shown this once:  {secret}"
    return _WELCOME.format(url=url, key=secret or "tb-YOUR-KEY", key_line=line)
