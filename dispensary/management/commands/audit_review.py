"""A day of the log, for the person who must look at it."""

from __future__ import annotations

import datetime as dt
import json
import sys
from argparse import ArgumentParser
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand
from django.db import connections, transaction
from django.utils import timezone

from dispensary.actors import Actor
from dispensary.audit import SITE, Event, Subject, record
from dispensary.audit.checks.review import Day, review_day
from dispensary.audit.log.database import raw_connection
from dispensary.models import Pharmacy


class Command(BaseCommand):
    """Exit status 0: nothing to point out; 1: something to look at."""

    help = "Count a day of every pharmacy's log and point out what asks for attention; the review itself is an entry."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Yesterday unless said otherwise, in each pharmacy's own time zone."""
        parser.add_argument("--day", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="default: yesterday")
        parser.add_argument("--json", action="store_true", help="one JSON document a pharmacy")

    def handle(self, *args: Any, **options: Any) -> None:
        """Each pharmacy in turn."""
        now, points = timezone.now(), 0
        writers = tuple({str(connections[alias].settings_dict["USER"]) for alias in connections})
        places = [(each.pk, each.name, each.time_zone) for each in Pharmacy.objects.order_by("name")]
        for pharmacy, name, time_zone in (*places, (SITE, "The site itself", "UTC")):
            zone = ZoneInfo(time_zone)
            day = options["day"] or now.astimezone(zone).date() - dt.timedelta(days=1)
            since, until = (
                dt.datetime.combine(each, dt.time(), tzinfo=zone).astimezone(dt.UTC)
                for each in (day, day + dt.timedelta(days=1))
            )
            found = review_day(raw_connection("default"), pharmacy, since, until, writers=writers)
            points += len(found.points)
            self._tell(name, day, found, as_json=options["json"])
            with transaction.atomic():
                record(
                    Event.LOG_REVIEWED,
                    pharmacy=pharmacy,
                    by=Actor.system("review", pharmacy),
                    now=now,
                    subject=Subject("day", day.isoformat()),
                    body=found.body(),
                )
        if points:
            sys.exit(1)

    def _tell(self, name: str, day: dt.date, found: Day, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(
                json.dumps({"pharmacy": str(found.pharmacy), "day": day.isoformat(), **found.body()}, default=str)
            )
            return
        self.stdout.write(f"{name}, {day}: {sum(found.counts.values())} entries")
        for action, count in found.counts.items():
            self.stdout.write(f"  {count:6}  {action}")
        for actor, count in found.overrides.items():
            self.stdout.write(f"  Overrides signed by {actor}: {count}")
        for point in found.points:
            self.stdout.write(f"  LOOK: entry {point.seq}: {point.why}")
        self.stdout.write("")
