"""What scripts on pages of other origins may send to the board and read of its answers.

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

_SENT = (
    "Authorization",
    "X-Api-Key",
    "Content-Type",
    "Content-Encoding",
    "If-None-Match",
    "HTTP-Referer",
    "X-OpenRouter-Title",
    "X-Title",
    "X-OpenRouter-Categories",
    "Anthropic-Version",
    "Anthropic-Beta",
    "Anthropic-Dangerous-Direct-Browser-Access",
    "OpenAI-Organization",
    "OpenAI-Project",
    "OpenAI-Beta",
    "Idempotency-Key",
    # SDKs describe themselves in headers of their own, more with every release. The wildcard covers all but
    # Authorization, and only for requests without cookies, which are all that the board takes a key from.
    "*",
)
ALLOWED_HEADERS = ", ".join(_SENT)
"""Access-Control-Allow-Headers."""

_READ = (
    "ETag",
    "Retry-After",
    "Content-Disposition",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Generation-Id",
    "X-Tokenboard-App",
    "X-Tokenboard-As-Of",
    "X-Tokenboard-Start-Date",
    "X-Tokenboard-End-Date",
    "X-Request-Id",
    "Request-Id",
)
EXPOSED_HEADERS = ", ".join(_READ)
"""Access-Control-Expose-Headers: beside what scripts may always read, as Content-Type."""

PREFLIGHT_AGE_S = 86_400
"""Access-Control-Max-Age, in seconds."""
