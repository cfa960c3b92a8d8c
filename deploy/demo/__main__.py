"""`python -m deploy.demo`: start, tell the story, keep serving. With ONCE=1, end after the story."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from deploy.demo.site import DemoSite, running_site
from deploy.servers import ServerError

if TYPE_CHECKING:  # Django is not set up yet when this module is read
    from deploy.demo.story import Story
    from dispensary.models import Pharmacy

_MAIL_SECONDS = 60
_SIGN_SECONDS = 30


def main() -> int:
    """Run the demo; returns the exit status: 0, or 1 when something did not come out as told."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started us with Ctrl-C switched off
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both stop the servers first
    began = time.monotonic()
    print("Starting PostgreSQL, Valkey, web server, workers ...", flush=True)
    try:
        with running_site() as site:
            failures = tell(site)
            print(f"\n{time.monotonic() - began:.0f} s from start to here.", flush=True)
            if failures:
                print("Not everything came out as told:\n  " + "\n  ".join(failures))
            if os.environ.get("ONCE"):
                return 1 if failures else 0
            invite(site)
            return serve(site)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0


def tell(site: DemoSite) -> list[str]:
    """Tell the story through the running site; returns what did not come out as told."""
    from django.utils import timezone

    from deploy.demo import people
    from deploy.demo.client import Client
    from deploy.demo.story import Story
    from deploy.demo.waiting import leave_waiting
    from dispensary.models import Pharmacy

    now = timezone.now()
    harbour = Pharmacy.objects.get(name=people.HARBOUR)
    tess, paul = (Client(site.address, people.token_for(name)) for name in ("tess", "paul"))
    story = Story(tess, paul, site.folder, harbour.local_day(now))
    story.tell()
    leave_waiting(story)
    deliver(site, story)
    prove(site, story, harbour)
    return story.failures


def deliver(site: DemoSite, story: Story) -> None:
    """Show what the workers sent to the patients for whom something is due today."""
    from dispensary.models import Dispense, Reminder, ReminderState

    story.title("The clock", "what the dispenses above make owing, and what was due today")
    patients = set(
        Dispense.objects.filter(pk__in=[done["id"] for done in story.dispensed]).values_list("patient_id", flat=True)
    )
    scheduled = Reminder.objects.filter(patient_id__in=patients, state=ReminderState.SCHEDULED)
    story.expect(
        set(scheduled.values_list("patient_id", flat=True)) == patients, "each patient with a dispense has reminders"
    )
    labels = len(list(site.folder.glob("label-*.pdf")))
    story.say(
        f"{len(story.dispensed)} dispenses today, {labels} labels in {site.folder}, {scheduled.count()} reminders in the database; the broker holds none."
    )
    messages = site.mail.wait_for(len(site.messages_due), _MAIL_SECONDS)
    sent = {str(message["To"]): message for message in messages}
    for address, why in site.messages_due.items():
        story.expect(address in sent, f"the message to {address} ({why}) is delivered")
        if address in sent:
            text = sent[address].get_body(("plain",))
            first_line = text.get_content().strip().splitlines()[0] if text else "no plain text"
            story.say(f"E-mail to {address} ({why}): {first_line}")


def prove(site: DemoSite, story: Story, harbour: Pharmacy) -> None:
    """Verify the log, alter it behind its back, verify again, and roll the alteration back."""
    from deploy.demo import proof
    from deploy.demo.site import log_connection
    from dispensary.audit.evidence import verify

    story.title("The proof", "the audit log, recomputed from its first entry")
    with log_connection() as connection:
        result = proof.wait_until_signed(connection, harbour, _SIGN_SECONDS)
        story.expect(result.exit == verify.OK, f"the log verifies (it said: {result.report.conclusion})")
        story.say(
            f"{result.report.entries} entries, {result.report.checkpoints} signed checkpoints. {result.report.conclusion}"
        )
        if site.superuser_url is None:
            story.say("DATABASE_URL names the server, so the demo does not alter a row as its superuser.")
        elif story.dispensed:
            done = max(story.dispensed, key=lambda done: float(done["quantity"]))
            seq, broken = proof.alter_and_verify(site.superuser_url, harbour, done)
            story.say(
                f"Now a superuser switches the guards off and makes {done['quantity']} tablets 28 in entry {seq} ..."
            )
            named = [finding for finding in broken.report.findings if finding.first <= seq <= finding.last]
            story.expect(broken.exit == verify.TAMPERED and bool(named), f"the verification names entry {seq}")
            for finding in named:
                story.say(f"{finding.sentence()}")
            again = proof.verified(connection, harbour)
            story.expect(again.exit in (verify.OK, verify.INCOMPLETE), "rolled back, the log verifies again")
            story.say("Rolled back; the log verifies again.")


def invite(site: DemoSite) -> None:
    """Say where it is and what to try."""
    from django.utils import timezone

    from deploy.demo import people
    from deploy.demo.waiting import print_packs

    print_packs(timezone.localdate())
    print(
        f"\nDispensary is open at {site.address}  (password of every account, without the quotes: “{people.PASSWORD}”)"
    )
    for account in people.ACCOUNTS:
        print(f"  {account.username:6}{account.role.label:12}{account.pharmacy:18}{account.invitation}")
    print(
        "\nThe API's description: /api/v1/schema/   Labels and messages: .run/labels/, .run/mail/   The programs' output: .run/processes.log"
    )
    print("Ctrl-C ends it.", flush=True)


def serve(site: DemoSite) -> int:
    """Keep serving until a process ends on its own, which is an error."""
    while site.processes.running:
        time.sleep(0.5)
    print(
        f"A process ended, and so does the demo. The last lines of {site.processes.log}:\n{site.processes.last_words(8)}"
    )
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
