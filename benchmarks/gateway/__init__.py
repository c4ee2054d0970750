"""The gateway beside nginx and other gateways: one core for the proxy under test, one for upstream and load.

    rounds ─▶ load (wrk, or our own client) ─▶ proxies (nginx | tokenboard | Portkey | LiteLLM) ─▶ upstream
       └────▶ process (pins, CPU time and resident memory from /proc)

``rounds`` is the subject ``gateway``, ``memory`` the subject ``gateway-memory``. ``upstream`` and ``client`` are
programs of their own (``python -m``), so that neither shares an interpreter with what measures.
"""
