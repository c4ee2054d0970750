"""The gateway beside nginx and other gateways: one core for the proxy under test, one for upstream and load.

    rounds | scaling ─▶ taking ─▶ load (wrk, or our own client) ─▶ proxies (peers | tokenboard) ─▶ upstream
                          └─────▶ group (roles, pins, CPU time and resident memory from /proc)

``rounds`` is the subject ``gateway``, ``scaling`` is ``gateway-cores``, ``memory`` ``gateway-memory``; ``plan`` says
what a round is made of, ``samples`` what is kept of it, ``report`` and ``goals`` what is told. ``upstream`` and
``client`` are programs of their own (``python -m``), so that neither shares an interpreter with what measures.
"""
