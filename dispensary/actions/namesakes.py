"""Records that may be of one person: noticed, answered by a person, joined where they are of one, parted where they are not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from copy import copy
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from baclofen_rules.facts import FACTS
from dispensary import audit, policies
from dispensary.actions import reviews
from dispensary.actions.decisions import ALL_COURSES
from dispensary.actions.identity import save_former_identity, write_search_keys
from dispensary.actions.locks import lock_birth_date, lock_number, lock_patient
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import facts_document
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models import (
    ConsentAnswer,
    ConsentSource,
    CorrectionReason,
    FormerIdentity,
    Medium,
    Namesake,
    NamesakeAnswer,
    Patient,
    Prescription,
    PrescriptionStatus,
    PriorSupply,
    Sex,
    WorkKind,
    WorkState,
)
from dispensary.reminders.opt_outs import record_consent
from dispensary.reminders.work import close_patient_work
from dispensary.text import clean_line, fold_name, number_key


def notice(*, patient: Patient, other_than: Collection[UUID] = (), by: Actor, now: datetime) -> dict[str, Any]:
    """Open a question for each other record with the patient's name and birth date, or number written otherwise.

    In the caller's transaction. Open questions that no longer hold are dropped. Returns what the caller's audit entry says about it: nothing, or the ids
    of the records that were noticed. `other_than` are records of which a person says that they are of somebody else.
    """
    same = {record.pk: record for record in _find_namesakes(patient)}
    questions = list(_questions_of(patient))
    Namesake.objects.filter(
        pk__in=[
            question.pk
            for question in questions
            if not question.answer and not {question.patient_id, question.other_id} & same.keys()
        ]
    ).delete()
    asked = {question.patient_id for question in questions} | {question.other_id for question in questions}
    new = sorted(same.keys() - asked)
    for pk in new:
        question = Namesake(patient=patient, other=same[pk], noticed_at=now)
        if pk in other_than:
            question.answer, question.answered_at, question.answered_by = NamesakeAnswer.OTHER, now, by.name
        question.save(force_insert=True)
    other = sorted(set(other_than) & set(new))
    return ({"namesakes": new} if new else {}) | ({"other_than": other} if other else {})


@transaction.atomic
def answer_namesake(
    *, patient: Patient, other: UUID, answer: str, words: str = "", by: Actor, now: datetime
) -> Patient:
    """Record whether two records are of one person; join them where they are, and part them again where they are not.

    `words` say what it is known from: needed where nobody was asked, since name or birth date differ, and to part records.
    Returns the record to use from now on. Raises `NotFound` where there is no such record, or no question about one of another
    person; `Conflict` for records that are joined already, or that cannot be joined or parted.
    """
    policies.require(policies.may_receive(by), by, "answer who a patient is", "a technician or pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    if answer not in (NamesakeAnswer.SAME, NamesakeAnswer.OTHER):
        raise InvalidInput("The question needs an answer.", Problem("answer", "another word", "same or other"))
    question = Namesake.objects.filter(Q(patient=patient.pk, other=other) | Q(patient=other, other=patient.pk)).first()
    if question is None:
        record = Patient.objects.filter(pharmacy=patient.pharmacy_id, pk=other).exclude(pk=patient.pk).first()
        if record is None or answer == NamesakeAnswer.OTHER:
            raise NotFound("There is no question about these two records.")
        question = Namesake(patient=patient, other=record, noticed_at=now)
    is_parting = question.answer == NamesakeAnswer.SAME and answer == NamesakeAnswer.OTHER
    explanation = clean_line(words, "words", longest=250, required=False)
    if not explanation and (is_parting or question.pk is None):
        problem = Problem("words", "nothing", "a passport, the patient, the prescriber")
        raise InvalidInput("Say what it is known from.", problem)
    if is_parting:
        return _part(question, explanation, by, now)
    first, second = (lock_patient(record) for record in sorted([question.patient, question.other], key=lambda r: r.pk))
    question.answer, question.answered_at, question.answered_by = answer, now, by.name
    words_body = {"words": explanation} if explanation else {}
    if answer == NamesakeAnswer.OTHER:
        question.save()
        _record_answer(first, answer, {"other": second.pk} | words_body, by, now)
        _record_answer(second, answer, {"other": first.pk} | words_body, by, now)
        return first if first.pk == patient.pk else second
    newer, older = (first, second) if first.pk == question.patient_id else (second, first)
    joined, kept_record = (older, newer) if _holds_more(newer) and not _holds_more(older) else (newer, older)
    body, question.moved = _join(joined, kept_record, by, now)
    question.save()
    noticed = notice(patient=kept_record, by=by, now=now)
    _record_answer(kept_record, answer, body | noticed | words_body, by, now)
    _record_answer(joined, answer, {"joined_to": kept_record.pk} | words_body, by, now)
    _follow([kept_record, joined], body["prescriptions"], by, now)
    return kept_record


def _find_namesakes(patient: Patient) -> list[Patient]:
    """Return the other records in use that may be of the patient.

    They have the patient's birth date and one of the patient's names, present or former, or a number that differs in capitals,
    blanks or punctuation alone.
    """
    same_name = [] if patient.birth_date is None else _find_same_name(patient, patient.birth_date)
    alike = [record for record in _find_like_numbers(patient) if record not in same_name]
    return same_name + alike


def _find_like_numbers(patient: Patient) -> list[Patient]:
    key = number_key(patient.identifier)
    if key == number_key(""):
        return []
    lock_number(patient.pharmacy_id, key)
    others = Patient.objects.filter(pharmacy_id=patient.pharmacy_id, joined_to__isnull=True, search_keys__key=key)
    return [
        other
        for other in others.exclude(identifier=patient.identifier)
        if number_key(other.identifier) == key
        and (
            other.identifier_system == patient.identifier_system
            or not (other.identifier_system and patient.identifier_system)
        )
    ]


def _find_same_name(patient: Patient, born_on: date) -> list[Patient]:
    lock_birth_date(patient.pharmacy_id, born_on)
    # A namesake has a search key that begins with each of the patient's words: few are compared, however common the date.
    names = patient.identities()
    begins = Q()
    for record in names:
        begins |= Q(search_keys__key__startswith=fold_name(record.family_name).partition(" ")[0])
    others = Patient.objects.filter(
        begins, pharmacy_id=patient.pharmacy_id, birth_date=born_on, joined_to__isnull=True
    ).exclude(pk=patient.pk)
    return [
        other
        for other in others.distinct().prefetch_related("former_identities")
        if any(_are_namesakes(name, theirs) for name in names for theirs in other.identities())
    ]


def _are_namesakes(name: Patient | FormerIdentity, other_name: Patient | FormerIdentity) -> bool:
    """Compare two names as they are searched for: the same family name and given names of which one begins the other.

    Given and family name the other way round are the same name.
    """
    family, other_family = fold_name(name.family_name), fold_name(other_name.family_name)
    given_words, other_given_words = fold_name(name.given_name).split(), fold_name(other_name.given_name).split()
    shared = min(len(given_words), len(other_given_words))
    if family == other_family and given_words[:shared] == other_given_words[:shared]:
        return True
    return sorted([*family.split(), *given_words]) == sorted([*other_family.split(), *other_given_words])


def _questions_of(patient: Patient) -> Any:
    return Namesake.objects.filter(Q(patient=patient) | Q(other=patient))


def _holds_more(record: Patient) -> bool:
    """Return whether a record has what stays under its name: supplies, decisions, addresses, work."""
    return any(rows.exists() for rows in (record.dispenses, record.decisions, record.contact_points, record.work))


def _follow(records: Iterable[Patient], orders: Collection[UUID], by: Actor, now: datetime) -> None:
    """Review orders that came to another record, and count again what each person takes."""
    for order in Prescription.objects.filter(pk__in=orders, status=PrescriptionStatus.ACTIVE):
        reviews.record(prescription=order, by=by, now=now)
    for record in records:
        follow_therapy(patient_id=record.pk, by=by, now=now)


def _join(joined: Patient, record: Patient, by: Actor, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Move orders, earlier supplies, addresses, work, number and names to the record that is kept.

    Hand-overs and decisions stay as they were signed; they are read with the record that is kept. Returns the body of its
    audit entry, and what `_part` moves back.
    """
    before, merged_before = facts_document(record), _merged_columns(record)
    _merge_facts(joined, record, now)
    record.version += 1
    record.save()
    orders = list(joined.prescriptions.select_for_update(of=("self",)).values_list("pk", flat=True))
    joined.prescriptions.update(patient=record, version=F("version") + 1)
    recorded_keys = {_key_of(row) for row in record.prior_supplies.all()}
    supplies = [row.pk for row in joined.prior_supplies.all() if _key_of(row) not in recorded_keys]
    joined.prior_supplies.filter(pk__in=supplies).update(patient=record)
    addresses, work = _move_addresses(joined, record, by, now), _move_work(joined, record, by, now)
    _questions_of(joined).filter(answer=NamesakeAnswer.OPEN).delete()
    joined.order_summaries.update(patient=record)
    joined.therapy_summary.all().delete()
    names = list(joined.former_identities.values_list("pk", flat=True))
    joined.former_identities.update(patient=record)
    records = list(joined.joined_records.values_list("pk", flat=True))
    joined.joined_records.update(joined_to=record)
    former = save_former_identity(joined, record, CorrectionReason.JOINED, now)
    joined.joined_to = record
    joined.version += 1
    joined.save(update_fields=["joined_to", "version"])
    joined.search_keys.all().delete()
    write_search_keys(record)
    after = facts_document(record)
    changed = {name: {"from": before[name], "to": after[name]} for name in after if before[name] != after[name]}
    body = {
        "joined": joined.pk,
        "prescriptions": orders,
        "prior_supplies": len(supplies),
        "addresses": len(addresses),
        "work": len(work),
        "changed": changed,
    }
    return body, {
        "prescriptions": orders,
        "prior_supplies": supplies,
        "addresses": addresses,
        "work": work,
        "former_identities": names,
        "joined_records": records,
        "joined_identity": former.pk,
        "before": merged_before,
        "after": _merged_columns(record),
    }


def _move_addresses(joined: Patient, record: Patient, by: Actor, now: datetime) -> list[UUID]:
    """Move addresses in use that the record kept lacks, with their carers. Returns their keys.

    Of two answers about a medium the later one holds.
    """
    in_use = list(joined.contact_points.filter(retired_at__isnull=True))
    recorded_addresses = set(
        record.contact_points.filter(retired_at__isnull=True).values_list("medium", "address_digest")
    )
    moved = [point.pk for point in in_use if (point.medium, point.address_digest) not in recorded_addresses]
    joined.contact_points.filter(pk__in=moved).update(patient=record)
    joined.carers.filter(contact_points__in=moved).update(patient=record)
    answered = dict(record.consents.values_list("medium", "since"))
    for consent in joined.consents.select_related("event"):
        if consent.medium not in answered or consent.since > answered[consent.medium]:
            evidence = f"said under the number {joined.identifier}, which is the same person's"
            record_consent(
                record, Medium(consent.medium), ConsentAnswer(consent.answer), ConsentSource(consent.event.source),
                evidence, by, now,
            )  # fmt: skip
    return moved


def _move_work(joined: Patient, record: Patient, by: Actor, now: datetime) -> list[UUID]:
    """Move open work; what is open about the record kept already is closed. Returns the keys of what was moved."""
    is_open = ~Q(state=WorkState.RESOLVED)
    doubled = record.work.filter(is_open, reminder__isnull=True).values_list("kind", flat=True)
    close_patient_work(patient_id=joined.pk, kinds=[WorkKind(kind) for kind in doubled], by=by, now=now)
    moved = list(joined.work.filter(is_open).values_list("pk", flat=True))
    joined.work.filter(pk__in=moved).update(patient=record)
    return moved


def _merged_columns(record: Patient) -> dict[str, Any]:
    """Return the columns that `_merge_facts` may change; a moment as text, to the microsecond."""
    asked_at = None if record.facts_at is None else record.facts_at.isoformat()
    return {name: copy(getattr(record, name)) for name in (*FACTS, "given_name", "recorded_on")} | {
        "facts_at": asked_at
    }


def _part(question: Namesake, words: str, by: Actor, now: datetime) -> Patient:
    """Take back that two records are of one person: everything that came with one goes back to it. Returns that record.

    What the record kept learned since stays there. Raises `Conflict` where tablets were handed over, something was decided,
    or an order ended, of what came: that cannot be told apart any more.
    """
    first, second = (Patient.objects.locked().get(pk=pk) for pk in sorted([question.patient_id, question.other_id]))
    joined, record = (first, second) if first.joined_to_id == second.pk else (second, first)
    moved = question.moved
    if joined.joined_to_id != record.pk or record.joined_to_id is not None or not moved:
        raise Conflict("These two records were joined in a way that cannot be taken back.")
    if _is_used_since(question, record):
        problem = Problem(
            "answer",
            "tablets handed over, a decision or an ended prescription, of what came with the other record",
            "records with whose prescriptions nothing was done since they were joined",
            "Register the other person under a new number, and record there what they have had as earlier supplies.",
        )
        raise Conflict("These two records cannot be parted.", problem)
    columns = {column.name: column for column in Patient._meta.fields}
    for name, before in moved["before"].items():
        column = columns[name]
        if getattr(record, name) == column.to_python(moved["after"][name]):
            setattr(record, name, column.to_python(before))
    record.version += 1
    record.save()
    record.prescriptions.filter(pk__in=moved["prescriptions"]).update(patient=joined, version=F("version") + 1)
    record.prior_supplies.filter(pk__in=moved["prior_supplies"]).update(patient=joined)
    record.order_summaries.filter(prescription__in=moved["prescriptions"]).update(patient=joined)
    addresses = moved.get("addresses", ())
    record.carers.filter(contact_points__in=addresses).update(patient=joined)
    record.contact_points.filter(pk__in=addresses).update(patient=joined)
    record.work.filter(pk__in=moved.get("work", ())).update(patient=joined)
    record.former_identities.filter(pk__in=moved["former_identities"]).update(patient=joined)
    record.former_identities.filter(pk=moved["joined_identity"]).delete()
    record.joined_records.filter(pk__in=moved["joined_records"]).update(joined_to=joined)
    joined.joined_to = None
    joined.version += 1
    joined.save(update_fields=["joined_to", "version"])
    for parted in (record, joined):
        write_search_keys(parted)
    question.answer, question.answered_at, question.answered_by = NamesakeAnswer.OTHER, now, by.name
    question.moved = {}
    question.save()
    body = {"prescriptions": moved["prescriptions"], "prior_supplies": len(moved["prior_supplies"]), "words": words}
    for parted, other in ((record, joined), (joined, record)):
        noticed = notice(patient=parted, by=by, now=now)
        _record_answer(parted, question.answer, {"parted": other.pk} | body | noticed, by, now)
    _follow([record, joined], moved["prescriptions"], by, now)
    return joined


def _is_used_since(question: Namesake, record: Patient) -> bool:
    """Return whether something was done since two records were joined with what came."""
    orders, supplies = question.moved["prescriptions"], question.moved["prior_supplies"]
    came = {str(key) for key in (*orders, *supplies)}
    since = {"decided_at__gte": question.answered_at}
    return (
        record.dispenses.filter(prescription__in=orders).exists()
        or record.prescriptions.filter(pk__in=orders, ended_at__gte=question.answered_at).exists()
        or record.decisions.filter(Q(order__in=orders) | Q(prior_supply__in=supplies)).exists()
        or record.decisions.filter(course=ALL_COURSES, **since).exists()
        or any(row.course.partition("@")[0] in came for row in record.decisions.all())
    )


def _key_of(row: PriorSupply) -> tuple[Any, ...]:
    return row.dispensed_on, row.relation, tuple(row.doses), row.days_supply


def _merge_facts(joined: Patient, record: Patient, now: datetime) -> None:
    """Copy what the kept record does not know, and what was asked later."""
    is_newer = joined.facts_at is not None and (record.facts_at is None or joined.facts_at > record.facts_at)
    days = {fact.day_of: fact.name for fact in FACTS.values() if fact.day_of}
    for name in FACTS.keys() - days.values():
        value, unknown = getattr(joined, name), (None, "", Sex.UNKNOWN)
        if value not in unknown and (is_newer or getattr(record, name) in unknown):
            if value != getattr(record, name):
                record.recorded_on[name] = record.pharmacy.local_day(now).isoformat()
            setattr(record, name, value)
            if name in days:
                setattr(record, days[name], getattr(joined, days[name]))
    record.given_name = record.given_name or joined.given_name
    if is_newer:
        record.facts_at = joined.facts_at


def _record_answer(patient: Patient, answer: str, body: dict[str, Any], by: Actor, now: datetime) -> None:
    audit.record(
        Event.NAMESAKE_ANSWERED,
        pharmacy=patient.pharmacy,
        by=by,
        now=now,
        subject=patient,
        patient=patient,
        reason_code=str(answer),
        body=body,
    )
