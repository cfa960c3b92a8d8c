"""Checks that somebody asked for at the desk, run by the sealer's process: its key and its role are the ones believed."""

from __future__ import annotations

import datetime as dt
import logging

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from dispensary.audit.checks.verification import Evidence, verify_logs
from dispensary.audit.evidence import verify
from dispensary.audit.log.background import BackgroundRunner
from dispensary.audit.sealing.keys import KeyTrouble
from dispensary.models import CheckResult, LogCheck

log = logging.getLogger(__name__)

ABANDONED = dt.timedelta(minutes=5)
"""A check of which nothing was heard for so long is begun again: the process that ran it is gone."""
GRACE = 60.0
_RESULTS = {
    verify.TAMPERED: CheckResult.TAMPERED, verify.UNREADABLE: CheckResult.UNREADABLE,
    verify.INCOMPLETE: CheckResult.INCOMPLETE, verify.OK: CheckResult.VERIFIED,
}  # fmt: skip
"""Exit status -> result, the worst first."""


class CheckRunner(BackgroundRunner):
    """Runs requested checks one after another in a thread, so that sealing goes on meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "requested checks",
            _run_all,
            "a requested check of the audit log was not finished; it is begun again",
        )

    def poll(self, now: dt.datetime) -> None:
        """Start the thread where a check waits and none is running."""
        if not self.is_running and _waiting(now).exists():
            self.start()


def _run_all() -> None:
    while run_next(timezone.now()):
        pass


def run_next(now: dt.datetime) -> bool:
    """Verify the log of the oldest request; return whether there was one."""
    with transaction.atomic():
        check = _waiting(now).select_for_update(skip_locked=True).order_by("requested_at").first()
        if check is None:
            return False
        LogCheck.objects.filter(pk=check.pk).update(seen_at=now)

    def note(reached: int, last: int) -> None:
        LogCheck.objects.filter(pk=check.pk).update(reached=reached, last=last, seen_at=timezone.now())

    try:
        checks = verify_logs(
            Evidence(), pharmacy=check.pharmacy_id, full=True, grace=GRACE, keep_record=True, now=now,
            progress=lambda _: note,
        )  # fmt: skip
        statuses = {checked.status for checked in checks}
    except (verify.Malformed, KeyTrouble, OSError):
        log.exception("the audit log of pharmacy %s could not be verified", check.pharmacy_id)
        statuses = {verify.UNREADABLE}
    result = next(result for status, result in _RESULTS.items() if status in statuses)
    LogCheck.objects.filter(pk=check.pk).update(finished_at=timezone.now(), result=result)
    return True


def _waiting(now: dt.datetime) -> QuerySet[LogCheck]:
    return LogCheck.objects.filter(Q(seen_at=None) | Q(seen_at__lt=now - ABANDONED), finished_at=None)
