"""`python -m deploy.forget`: delete what the demo keeps in `.run/`, and in the temporary folder where root's servers keep theirs."""

import fcntl
import shutil
import sys

from deploy.environment import RUN_DIR
from deploy.servers.processes import remove


def main() -> int:
    """Returns 0, or 1 while a demo runs there."""
    if not RUN_DIR.exists():
        return 0
    with (RUN_DIR / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("A demo is running here. End it with Ctrl-C first.", file=sys.stderr)
            return 1
        remove("postgres-binaries", RUN_DIR)
        remove("postgres", RUN_DIR)
        shutil.rmtree(RUN_DIR, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
