"""`python -m deploy.demo`: start, tell the story, keep serving. With ONCE=1, end after the story."""

import os
import signal
import sys
import time

from deploy.demo.site import running_site
from deploy.servers import ServerError


def main() -> int:
    """Run the demo; returns the exit status: 0, or 1 when something did not come out as told."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end as with Ctrl-C: stop the servers first
    began = time.monotonic()
    try:
        with running_site() as site:
            print(f"Dispensary runs at {site.address} ({time.monotonic() - began:.1f} s)")
            if os.environ.get("ONCE"):
                return 0
            print("Ctrl-C ends it.")
            while site.processes.running:
                time.sleep(0.5)
            print(
                f"A process ended; so does the demo. The last lines of {site.processes.log}:\n{site.processes.last_words(8)}"
            )
            return 1
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
