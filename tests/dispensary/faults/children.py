"""Processes of a test's own, forked from it with a connection of their own, to be killed and frozen at will; and what heals after them."""

import os
import signal
import time
import traceback
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
from django.db import connections

from dispensary import reminders
from dispensary.models import Reminder, ReminderState
from tests.dispensary.reminders.conftest import database_now
from tests.waiting import wait_until

ENDED = (
    ReminderState.SENT,
    ReminderState.DELIVERED,
    ReminderState.WITHDRAWN,
    ReminderState.SUPPRESSED,
    ReminderState.EXPIRED,
    ReminderState.FAILED,
    ReminderState.PARKED,
)


def in_a_child(work) -> int:
    """Start `work` in a child process with a connection of its own; give its number."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        # Beside a running browser, asyncio's loop hides the parent's connections from close_all() there and shows them here.
        for inherited in connections.all(initialized_only=True):
            inherited.connection = None
        try:
            work()
        except BaseException:
            traceback.print_exc()  # for whoever wonders why it did not die as it should
        os._exit(0)
    return pid


def ended(pid: int) -> int:
    """Wait for a child; give the signal that ended it, or 0."""
    status = os.waitpid(pid, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def in_a_process_that_dies(work) -> int:
    """Run `work` in a child; give the signal that ended it, or 0."""
    return ended(in_a_child(work))


def frozen(work) -> int:
    """Run `work` in a child until it freezes itself; give its number."""
    pid = in_a_child(work)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, 30)
    return pid


def thaw(pid: int) -> None:
    """Let a frozen child go on to its end."""
    os.kill(pid, signal.SIGCONT)
    assert ended(pid) == 0


def kill_when_called(monkeypatch, where, step):
    """Die at the first call of a step, before it does anything: the function itself, so that a renamed one fails early."""
    monkeypatch.setattr(where, step.__name__, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))


def not_ended(rows=None):
    """The reminders with which the engine is not done."""
    return (Reminder.objects.all() if rows is None else rows).exclude(state__in=ENDED)


def let_leases_run_out() -> None:
    """Let time pass, without waiting for it."""
    Reminder.objects.filter(lease_until__isnull=False).update(lease_until=database_now() - timedelta(seconds=1))


def recover(*, at_once: bool = False) -> None:
    """Do the work of the next ticks, once the lease has run out; `at_once`: let every lease have run out already."""
    deadline = time.monotonic() + 30
    while not_ended().exists():
        assert time.monotonic() < deadline, "it did not come to an end"
        if at_once:
            let_leases_run_out()
        reminders.tick()
        if not reminders.drain().claimed:
            time.sleep(0 if at_once else 0.3)


def heal() -> None:
    """Let time and ticks pass until the engine has nothing left: leases run out, rows put off fall due."""
    for _ in range(20):
        if not not_ended().exists():
            return
        let_leases_run_out()
        Reminder.objects.filter(state=ReminderState.SCHEDULED).update(due_at=database_now() - timedelta(seconds=1))
        reminders.tick()
        reminders.drain()
    raise AssertionError("it did not come to an end")


class Steps:
    """Every statement and every commit that a process sends to the database, counted; at a chosen one it dies instead."""

    def __init__(self, die_at: int = 0, file: Path | None = None):
        self.die_at, self.file, self.count = die_at, file, 0

    def __enter__(self) -> "Steps":
        """Only ever in a child: nothing is put back."""
        execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit

        def counted_execute(cursor, query, *arguments, **more):
            self._step()
            return execute(cursor, query, *arguments, **more)

        def counted_commit(connection):
            self._step()
            return commit(connection)

        psycopg.Cursor.execute, psycopg.Connection.commit = counted_execute, counted_commit
        return self

    def __exit__(self, *_: object) -> None:
        if self.file:
            self.file.write_text(str(self.count))

    def _step(self) -> None:
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def steps_of(work, folder: Path) -> int:
    """Count the statements and commits that `work` sends, done once in a child that lives."""
    file = folder / "steps"

    def counted() -> None:
        with Steps(file=file):
            work()

    assert in_a_process_that_dies(counted) == 0
    return int(file.read_text())


def dies_at(work, step: int) -> bool:
    """Run `work` in a child that is killed instead of sending its statement number `step`; whether it came to that."""

    def doomed() -> None:
        with Steps(step):
            work()

    return in_a_process_that_dies(doomed) == signal.SIGKILL
