"""Events of the log, each with the sentence that describes it to a person.

A new event is one member here, and for a reading its name in `READINGS`. A value never changes its meaning once it has been
written somewhere: the log keeps it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """The outcome of an event.

    `REFUSED` is a decision of the software or a lack of access; `FAILURE` a fault.
    """

    SUCCESS = "success"
    REFUSED = "refused"
    FAILURE = "failure"


_THINGS = ("prescription", "bag", "dispense", "reminder")
"""Subjects that the code of an event names."""


class Event(StrEnum):
    """An action as the log names it.

    The sentence may use {by}, {subject}, {patient}, {second}, {reason}, {rules}, {station}.
    """

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """Return a member that carries its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    @property
    def label(self) -> str:
        """The sentence without who, whom and why, for a list of events: `Handed over a dispense to a patient`."""
        words = self.sentence.rstrip(".")
        for part in ("{by} ", "{by}, with {second}, "):
            words = words.removeprefix(part)
        for part in (": {reason}", ": {rules}", ": {subject}"):
            words = words.removesuffix(part)
        thing = self.partition(".")[0]
        subject = f"a {thing}" if thing in _THINGS and thing not in words else "…"
        words = words.format(patient="a patient", subject=subject, rules="a finding", second="another person")
        return words[:1].upper() + words[1:]

    PRESCRIPTION_RECEIVED = "prescription.received", "{by} took in {subject} for {patient}."
    PRESCRIPTION_CANCELLED = "prescription.cancelled", "{by} cancelled {subject} of {patient}."
    PRESCRIPTION_STOPPED = "prescription.stopped", "{by} stopped {subject} of {patient}."
    PRESCRIPTION_STOP_REFUSED = (
        "prescription.stop_refused",
        "{by} was refused stopping {subject} of {patient}: {rules}.",
    )
    PRESCRIPTION_REPLACED = "prescription.replaced", "{by} replaced {subject} of {patient} by another."
    PRESCRIPTION_HELD = "prescription.held", "{by} took in that the sender put {subject} of {patient} on hold."
    PRESCRIPTION_RELEASED = "prescription.released", "{by} took in that the sender released {subject} of {patient}."
    PRESCRIPTION_PAUSED = "prescription.paused", "{by} put {subject} of {patient} on hold."
    PRESCRIPTION_RESUMED = "prescription.resumed", "{by} resumed {subject} of {patient}."
    PRESCRIPTION_REINSTATED = "prescription.reinstated", "{by} undid the cancel of {subject} of {patient}."
    PRESCRIPTION_CORRECTED = "prescription.corrected", "{by} corrected a typed order of {patient} by {subject}."
    PRESCRIPTION_TAKEN_OVER = "prescription.taken_over", "{by} took over the work on {subject} of {patient}."
    PRESCRIPTION_WITHDRAWN = "prescription.withdrawn", "{by} took in that the sender withdrew {subject} of {patient}."

    EMERGENCY_ARRANGED = (
        "emergency.arranged",
        "{by} arranged an emergency supply for {patient}, which no prescriber has ordered: {subject}.",
    )
    PLAN_REQUESTED = "plan.requested", "{by} printed a request to the prescriber about {subject} of {patient}."

    BAG_PREPARED = "bag.prepared", "{by} prepared {subject} for {patient}."
    BAG_CHECKED = "bag.checked", "{by} checked {subject} for {patient}."
    BAG_CHECK_REFUSED = "bag.check_refused", "{by} was refused the check of a bag on {subject} of {patient}: {rules}."
    BAG_UNCHECKED = "bag.unchecked", "{by} asked for another check of {subject} for {patient}."
    BAG_SHELVED = "bag.shelved", "{by} put {subject} for {patient} on a shelf."
    BAG_HANDED_OVER = "bag.handed_over", "{by} identified who collects {subject} of {patient}, and told what to know."
    BAG_PUT_BACK = "bag.put_back", "{by} put the packs of {subject} for {patient} back."

    REVIEW_RECORDED = "review.recorded", "{by} had {subject} of {patient} checked against the rules."
    OVERRIDE_SIGNED = "override.signed", "{by} signed an answer to {rules} for {patient}."
    OVERRIDE_WITHDRAWN = "override.withdrawn", "{by} withdrew the answer to {rules} for {patient}."
    OVERRIDE_SECONDED = (
        "override.seconded",
        "{by} signed as second pharmacist, after {second}, the answer to {rules} for {patient}.",
    )
    OVERRIDE_ALONE = (
        "override.alone",
        "{by} let the answer to {rules} for {patient} stand on one signature, as nobody else answered.",
    )
    SIGNATURE_REFUSED = "signature.refused", "{by} did not prove to be there, and signed nothing."
    FINDING_ACKNOWLEDGED = "finding.acknowledged", "{by} acknowledged {rules} for {patient}."

    CARDS_SENT = "cards.sent", "{by} had an order of another system reviewed, which was not taken in."
    CARD_ANSWERED = "card.answered", "{by} reported what was done elsewhere about a card."

    THERAPY_DECIDED = "therapy.decided", "{by} recorded what {patient} takes."

    DISPENSED = "dispense.completed", "{by} handed over {subject} to {patient}."
    DISPENSED_LATE = "dispense.recorded_late", "{by} recorded late that {subject} was handed over to {patient}."
    DISPENSE_REFUSED = "dispense.refused", "{by} was refused a dispense on {subject} for {patient}: {rules}."
    DISPENSE_CANCELLED = "dispense.cancelled", "{by} cancelled {subject} of {patient}."
    DISPENSE_RETURNED = "dispense.returned", "{by} took back {subject} of {patient}."
    SUPPLY_NOTED = "supply.noted", "{by} noted an earlier supply to {patient} from elsewhere."
    LABEL_PRINTED = "label.printed", "{by} printed the label of {subject}."
    LABEL_REPRINTED = "label.reprinted", "{by} printed the label of {subject} again."
    DOCUMENT_PRINTED = "document.printed", "{by} printed a calendar or leaflet for {subject}."

    DOWNTIME_PRINTED = "downtime.printed", "{by} printed the downtime form of {subject}."

    REMINDER_PLANNED = "reminder.planned", "{by} planned {subject} for {patient}."
    REMINDER_SENT = "reminder.sent", "{by} sent {subject} to {patient}."
    REMINDER_FAILED = "reminder.failed", "{by} could not send {subject} to {patient}."
    REMINDER_WITHDRAWN = "reminder.withdrawn", "{by} withdrew {subject} of {patient}."
    REMINDER_DELIVERED = "reminder.delivered", "{by} learnt that {subject} reached {patient}."
    CONSENT_CHANGED = "consent.changed", "{by} changed what {patient} agreed to be sent."
    CONTACT_CHANGED = "contact.changed", "{by} changed how {patient} can be reached."
    PATIENT_ANSWERED = "patient.answered", "{patient} answered a question of a message or of the page."
    WORKLIST_OPENED = "worklist.opened", "{by} put {patient} on the worklist."
    WORKLIST_ANSWERED = "worklist.answered", "{by} worked on {subject} of {patient}."
    WORKLIST_CLOSED = "worklist.closed", "{by} closed {subject} of {patient}."

    ALERT_OPENED = "alert.opened", "{by} opened an alert of the staff: {reason}."
    ALERT_TOLD = "alert.told", "{by} told people of an alert: {reason}."
    ALERT_ANSWERED = "alert.answered", "{by} answered an alert: {reason}."
    ALERT_CONTACT_CHANGED = "alert.contact_changed", "{by} changed who is told of alerts at {subject}."

    PATIENT_REGISTERED = "patient.registered", "{by} registered {patient}."
    PATIENT_CHANGED = "patient.changed", "{by} changed the facts about {patient}."
    PATIENT_CORRECTED = "patient.corrected", "{by} corrected name, number or birth date of {patient}."
    NAMESAKE_ANSWERED = (
        "patient.namesake_answered",
        "{by} answered whether {patient} and another record of the same name are one person.",
    )
    PATIENT_OPENED = "patient.opened", "{by} opened the record of {patient}."
    PATIENT_SEARCHED = "patient.searched", "{by} searched for patients."
    RECORD_BROKEN_INTO = (
        "record.broken_into",
        "{by} opened records of another pharmacy in an emergency: {subject}.",
    )
    RECORD_READ = "record.read", "{by} read {subject}."
    PRESCRIBER_CHANGED = "prescriber.changed", "{by} registered or changed {subject}."
    PRODUCT_CHANGED = "product.changed", "{by} added or changed {subject}."

    LOG_SEARCHED = "log.searched", "{by} searched this log."
    LOG_EXPORTED = "log.exported", "{by} exported entries of this log, or records of the pharmacy."
    EXPORT_REQUESTED = "log.export_requested", "{by} asked for an export of this log, or of records of the pharmacy."
    FILE_RELEASED = "file.released", "{by} released the file of {patient} that {second} had prepared."
    FILE_REFUSED = "file.refused", "{by} refused to release the file of {patient} that {second} had prepared."
    LOG_REVIEWED = "log.reviewed", "{by} reviewed a day of this log."
    DAY_SIGNED = "day.signed", "{by} signed the review of {subject}."
    REVIEW_SAMPLED = "review.sampled", "{by} drew a sample of overrides for peer review: {subject}."
    REVIEW_JUDGED = "review.judged", "{by} judged an answer to {rules} for {patient} in peer review."
    TRIAL_REQUESTED = "limit.trial_requested", "{by} asked to try another limit on recorded decisions."
    CHECK_REQUESTED = "log.check_requested", "{by} asked for this log to be verified."
    LOG_VERIFIED = "log.verified", "{by} had this log verified."
    DECISIONS_REPLAYED = "log.replayed", "{by} ran recorded decisions again."

    SIGNED_IN = "auth.signed_in", "{by} signed in."
    SIGNED_OUT = "auth.signed_out", "{by} signed out."
    SIGN_IN_REFUSED = "auth.refused", "A sign-in as {subject} was refused."
    ACCESS_REFUSED = "access.refused", "{by} was refused access to {subject}."
    ACCESS_CHANGED = "access.changed", "{by} changed the access of {subject}."
    ACCOUNT_OPENED = "account.opened", "{by} opened an account for {subject}."
    SIGN_IN_CHANGED = "account.changed", "{by} changed how {subject} signs in."
    TOKEN_ISSUED = "token.issued", "{by} issued an access token for {subject}."
    TOKEN_REVOKED = "token.revoked", "{by} revoked an access token of {subject}."
    SETTINGS_CHANGED = "settings.changed", "{by} changed the settings of {subject}."
    SETTINGS_ASKED = "settings.asked", "{by} asked for a change of limits or signers of {subject}."
    SETTINGS_WITHDRAWN = "settings.withdrawn", "{by} took back the change of {subject} that {second} had asked for."
    CHANNEL_TRIED = "channel.tried", "{by} sent a test message of {subject}."
    LIMITS_SIGNED = "limits.signed", "{by} read and signed limits of {subject}."
    PROFILE_CHANGED = "profile.changed", "{by} changed the profile of rules of {subject}."
    PHARMACY_OPENED = "pharmacy.opened", "{by} opened {subject}, and with it this log."

    KEY_ROTATED = "key.rotated", "{by} replaced the key that signs the checkpoints."
    POSTURE = "audit.posture", "{by} recorded how this log is protected today."
    LOG_REGISTERED = "audit.registered", "{by} entered {subject} into the register of logs."
    INTERFERENCE = "audit.interference", "{by} found this log interfered with."
    INCARNATION_OPENED = "audit.incarnation", "{by} continued a broken log as this one."
    LOG_LOST = "audit.lost", "{by}, with {second}, stated that a log went with a restore: {subject}."
    ERASED = "audit.erased", "{by}, with {second}, erased bodies of this log."
    RETIRED = "audit.retired", "{by}, with {second}, retired old entries of this log."


READINGS = frozenset({
    Event.PATIENT_OPENED, Event.PATIENT_SEARCHED, Event.RECORD_READ, Event.LOG_SEARCHED, Event.LOG_EXPORTED,
})  # fmt: skip
"""Events of somebody who read and changed nothing; a patient's file and export list them apart."""
