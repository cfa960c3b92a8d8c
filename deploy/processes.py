"""The processes of a site and their flags, for every way to start them: `python -m deploy.processes web`.

The Procfile, the systemd units and the containers say no more than this line, and which environment each process has.
"""

import os
import sys

from dispensary.schedule import SEND_QUEUE, TICK_QUEUE

NAMES = ("web", "tick", "send", "seal", "beat")
_CELERY = ["celery", "-A", "deploy.celery"]
# Workers need not know each other: gossip and mingling cost messages and serve nothing here.
_ALONE = ["--without-gossip", "--without-mingle"]


def command_of(name: str, environment: dict[str, str]) -> list[str]:
    """Return the arguments of Python for a process; with `RUN_DIR` it keeps its number and beat's file there.

    Without it beat's file is in the folder that systemd names in `STATE_DIRECTORY`, else in the temporary one: losing it costs nothing.
    """
    run_folder = environment.get("RUN_DIR")
    pidfile = f"--pidfile={run_folder}/{name}.pid" if run_folder else "--pidfile="
    worker = ["-m", *_CELERY, "worker", "--loglevel", "WARNING", *_ALONE, "-n", f"{name}@%h", pidfile]
    schedule = f"{run_folder or environment.get('STATE_DIRECTORY', '/tmp')}/beat.db"  # noqa: S108  (a container's own)
    commands = {
        "web": ["-m", "gunicorn", "-c", "python:deploy.web_server"],
        "tick": [*worker, "-Q", TICK_QUEUE, "-c", "1"],
        "send": [*worker, "-Q", SEND_QUEUE, "-c", environment.get("SEND_LANES", "2")],
        "seal": ["manage.py", "audit", "seal", "--verbosity", "0"],
        "beat": ["-m", *_CELERY, "beat", "--loglevel", "WARNING", "--schedule", schedule, pidfile],
    }
    return commands[name]


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in NAMES:
        sys.exit(f"Which process? Expected: python -m deploy.processes {'|'.join(NAMES)}")
    os.execv(sys.executable, [sys.executable, *command_of(sys.argv[1], dict(os.environ))])  # noqa: S606  (no shell is wanted)
