"""The durable path under a seed: gateways, board and ledger in one thread, with crashes, delays and faults in between.

    seed ─▶ which part takes its next step, where it dies in it, what is late, what is away, what the clock says
    journals ─▶ collector, shipments ─▶ spool ─▶ drain ─▶ ledger (a model)        (real parts, in the seed's order)
         │  acknowledged, or written and never acknowledged         │
         └────────────────────▶ Oracle ◀── raw rows, sums, cube ◀───┘

Nothing waits for the wall clock and no choice is made but by the seed, so that a seed which fails fails again:
``python -m tests.simulation SEED`` replays it and prints every step.
"""
