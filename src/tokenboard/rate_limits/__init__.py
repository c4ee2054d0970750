"""How many questions a caller may still ask: so many a minute per key, so many a UTC day per account.

The counting is done by ``limits`` (fixed windows); the counts are kept in a file of the data folder, so that a restart
or a crash does not give a new day.
"""

from tokenboard.rate_limits.counts import Counts
from tokenboard.rate_limits.rate_limits import RateLimiter, RateLimits, Verdict

__all__ = ["Counts", "RateLimiter", "RateLimits", "Verdict"]
