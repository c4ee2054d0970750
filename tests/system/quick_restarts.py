"""``tokenboard``, whose supervisor never waits long: a test kills its processes more often than any fault does."""

from tokenboard.cli import main
from tokenboard.supervisor import Pace, supervisor

if __name__ == "__main__":
    supervisor.STANDARD = Pace(first_s=0.1, longest_s=0.4)  # type: ignore[attr-defined]
    main()
