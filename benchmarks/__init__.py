"""What the parts cost, each beside a reference that answers the same question another way, in the same run.

    python -m benchmarks [rules] [rankings] [record]

Machines are noisy: a part and its reference take turns, round by round, and the median of the ratios is what counts.
"""
