"""The resources that can be read and searched: their rows, their search parameters, how each is rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import Model, Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce

from dispensary.api.fhir.communication import BEING_SENT, communication
from dispensary.api.fhir.communication import STATUS as COMMUNICATION_STATUS
from dispensary.api.fhir.dispense import KEYS, medication_dispense
from dispensary.api.fhir.dispense import STATUS as DISPENSE_STATUS
from dispensary.api.fhir.issue import detected_issue
from dispensary.api.fhir.patient import patient_resource
from dispensary.api.fhir.provenance import provenance
from dispensary.api.fhir.request import STATUS as REQUEST_STATUS
from dispensary.api.fhir.request import medication_request
from dispensary.api.fhir.search import (
    CodeParameter,
    DateParameter,
    IdentifierParameter,
    Parameter,
    ReferenceParameter,
)
from dispensary.api.fhir.task import STATUS as TASK_STATUS
from dispensary.api.fhir.task import task
from dispensary.api.fhir.values import reference
from dispensary.assessment import supply_type_of
from dispensary.errors import InvalidInput
from dispensary.loading import OF_A_PATIENT
from dispensary.models import (
    Dispense,
    Finding,
    FormerIdentity,
    Override,
    OverrideState,
    Patient,
    Prescription,
    PrescriptionIdentifier,
    PrescriptionStatus,
    Reminder,
    SenderStatus,
    Source,
    WorkKind,
    WorklistItem,
)


@dataclass(frozen=True, slots=True)
class Include:
    """A reference that a search can follow: `_include=<kind>:<name>`."""

    target: str
    find_id: Callable[[Any], UUID | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type whose rows are read and searched."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    render: Callable[[Any, datetime], dict[str, Any]]
    """Renders a row as it is at a moment."""
    parameters: Sequence[Parameter]
    documentation: str
    find: Callable[[str], Q | None]
    """The condition of a row by the id of its resource; None for a text that is none."""
    patient_of: Callable[[Any], Patient | None]
    pharmacy: str = "pharmacy_id"
    order: str = "-id"
    changed: str = "changed_at"
    """The lookup of the time of the last change."""
    includes: Mapping[str, Include] | None = None

    def all_parameters(self) -> list[Parameter]:
        """Return the parameters of the kind with those of every resource."""
        own_id = IdentifierParameter("_id", "the id", find=lambda value, _: self.find(value) or Q(pk__in=[]))
        last_updated = DateParameter("_lastUpdated", "when it changed last", lookup=self.changed)
        return [own_id, last_updated, *self.parameters]

    def sorts(self) -> dict[str, str]:
        """Return the lookups by which a search can be sorted, by the names of their parameters: moments that every row has."""
        dates = [parameter for parameter in self.all_parameters() if isinstance(parameter, DateParameter)]
        return {date.name: date.lookup for date in dates if not date.is_day}

    def changed_at(self, row: Any) -> datetime:
        """Return when a row changed last."""
        moment: datetime = attrgetter(self.changed.replace("__", "."))(row)
        return moment


def _by_uuid(field: str = "pk") -> Callable[[str], Q | None]:
    def find(text: str) -> Q | None:
        try:
            return Q(**{field: UUID(text)})
        except ValueError:
            return None

    return find


def _find_finding(text: str) -> Q | None:
    review, _, number = text.rpartition("-")
    try:
        return Q(review_id=UUID(review), number=int(number)) if len(number) <= 4 and number.isdecimal() else None
    except ValueError:
        return None


def _statuses(field: str, names: Mapping[Any, str]) -> dict[str, Q]:
    """Return the condition of each FHIR status, from the states that have it."""
    conditions: dict[str, Q] = {}
    for state, status in names.items():
        conditions[status] = conditions.get(status, Q(pk__in=[])) | Q(**{field: state})
    return conditions


def _find_patients(value: str, system: str | None) -> Q:
    """Return the condition of a number of a patient, of a present or a former one."""
    named = Q(identifier=value) if system is None else Q(identifier=value, identifier_system=system)
    return named | Q(pk__in=FormerIdentity.objects.filter(named).values("patient_id"))


def _find_orders(value: str, system: str | None) -> Q:
    named = Q(value=value) if system is None else Q(value=value, system=system)
    return Q(pk__in=PrescriptionIdentifier.objects.filter(named).values("prescription_id"))


def _dispense_rows() -> QuerySet[Dispense]:
    """Return hand-overs with findings and answers, each patient with what the kind of a supply follows from."""
    patients = Patient.objects.select_related("pharmacy").prefetch_related(*OF_A_PATIENT)
    return (
        Dispense.objects.select_related("product", "prescription", "review")
        .prefetch_related(
            Prefetch("patient", patients),
            "review__findings",
            Prefetch("overrides", Override.objects.select_related("second")),
        )
        .annotate(changed_at=Coalesce("ended_at", "handed_over_at"))
    )


def _render_dispense(dispense: Any, now: datetime) -> dict[str, Any]:
    try:
        supply_type = supply_type_of(dispense, dispense.patient.pharmacy.local_day(now))
    except InvalidInput:  # what is stored is no case any more; the hand-over must be readable all the same
        supply_type = None
    return medication_dispense(dispense, dispense.review.findings.all(), dispense.overrides.all(), supply_type)


def _finding_rows() -> QuerySet[Finding]:
    answers = Override.objects.filter(state=OverrideState.USED).select_related("second")
    return Finding.objects.select_related(
        "review__prescription__patient", "review__prior_supply__patient", "review__dispense"
    ).prefetch_related(Prefetch("review__dispense__overrides", answers))


def _patient_of_finding(finding: Finding) -> Patient:
    return finding.review.subject.patient


def _render_finding(finding: Finding) -> dict[str, Any]:
    review = finding.review
    dispense: Dispense | None = getattr(review, "dispense", None)
    answers = {answer.fingerprint: answer for answer in dispense.overrides.all()} if dispense else {}
    implicated = [reference("MedicationDispense", dispense.pk)] if dispense else []
    if review.prescription and review.prescription.source != Source.EMERGENCY:
        implicated.append(reference("MedicationRequest", review.prescription.pk))
    return detected_issue(
        finding,
        answers.get(finding.fingerprint),
        name=f"{review.pk}-{finding.number}",
        patient=_patient_of_finding(finding).pk,
        reviewed_at=review.reviewed_at,
        implicated=implicated,
    )


def _patient(row: Model) -> Patient | None:
    patient: Patient | None = row.patient  # type: ignore[attr-defined]  # every kind but Patient and DetectedIssue has it
    return patient


class PatientParameter(ReferenceParameter):
    """A reference to a patient: what stands under a record that was joined to theirs is theirs."""

    def find(self, key: UUID) -> Q:
        """Return the condition of rows of these records. The keys are read first, so that the rows are found by an index."""
        keys = Patient.objects.filter(Q(pk=key) | Q(joined_to=key)).values_list("pk", flat=True)
        return Q(**{f"{self.lookup}__in": list(keys)})


def _of_patient(name: str = "patient", lookup: str = "patient_id") -> Parameter:
    words = "whose it is, by this record or one that was joined to it"
    return PatientParameter(name, words, target="Patient", lookup=lookup)


_PATIENT = Include("Patient", lambda row: row.patient_id)
_ORDERS = ~Q(source=Source.EMERGENCY)
_ENTERED_IN_ERROR = Q(withdrawn_as=SenderStatus.ENTERED_IN_ERROR, status=PrescriptionStatus.CANCELLED)
_REQUEST_STATUSES = _statuses("status", REQUEST_STATUS)
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="MedicationRequest",
            rows=lambda: (
                Prescription.objects.filter(_ORDERS)
                .select_related("patient", "prescriber")
                .prefetch_related("phases", "identifiers")
            ),
            render=lambda order, _: medication_request(order),
            parameters=[
                _of_patient(),
                _of_patient("subject"),
                IdentifierParameter("identifier", "the sender's number of the order", find=_find_orders),
                CodeParameter(
                    "status",
                    "one that another replaced is stopped",
                    codes=_REQUEST_STATUSES
                    | {
                        "cancelled": _REQUEST_STATUSES["cancelled"] & ~_ENTERED_IN_ERROR,
                        "entered-in-error": _ENTERED_IN_ERROR,
                    },
                ),
                DateParameter("authoredon", "when it was written", lookup="written_on", is_day=True),
            ],
            documentation="An order as it was taken in. Supplies without an order are no MedicationRequest.",
            find=_by_uuid(),
            patient_of=_patient,
            order="-received_at",
            includes={"patient": _PATIENT, "subject": _PATIENT},
        ),
        Kind(
            name="MedicationDispense",
            rows=_dispense_rows,
            render=_render_dispense,
            parameters=[
                _of_patient(),
                _of_patient("subject"),
                IdentifierParameter(
                    "identifier",
                    "the idempotency key of the hand-over",
                    find=lambda value, system: Q(key=value) if system in {None, KEYS} else Q(pk__in=[]),
                ),
                CodeParameter("status", "", codes=_statuses("status", DISPENSE_STATUS)),
                ReferenceParameter("prescription", "the order", target="MedicationRequest", lookup="prescription_id"),
                DateParameter("whenhandedover", "when it was handed over", lookup="handed_over_at"),
            ],
            documentation="Pack and findings are contained; what was answered to a finding is its mitigation.",
            find=_by_uuid(),
            patient_of=_patient,
            order="-handed_over_at",
            includes={
                "patient": _PATIENT,
                "subject": _PATIENT,
                "prescription": Include("MedicationRequest", lambda row: row.prescription_id),
            },
        ),
        Kind(
            name="DetectedIssue",
            rows=_finding_rows,
            render=lambda finding, _: _render_finding(finding),
            parameters=[
                _of_patient(lookup="review__prescription__patient_id"),
                ReferenceParameter(
                    "implicated",
                    "the order that was reviewed",
                    target="MedicationRequest",
                    lookup="review__prescription_id",
                ),
                DateParameter("identified", "when the rules were asked", lookup="review__reviewed_at"),
            ],
            documentation="A finding of a review. Its mitigation is the answer that the hand-over used.",
            find=_find_finding,
            patient_of=_patient_of_finding,
            pharmacy="review__pharmacy_id",
            changed="review__reviewed_at",
            includes={
                "patient": Include("Patient", lambda row: _patient_of_finding(row).pk),
                "implicated": Include("MedicationRequest", lambda row: row.review.prescription_id),
            },
        ),
        Kind(
            name="Provenance",
            rows=lambda: Dispense.objects.select_related("patient", "prescription").prefetch_related(
                Prefetch("overrides", Override.objects.select_related("second"))
            ),
            render=lambda dispense, _: provenance(dispense, dispense.overrides.all()),
            parameters=[
                _of_patient(),
                ReferenceParameter("target", "the hand-over", target="MedicationDispense", lookup="pk"),
                DateParameter("recorded", "when it was handed over", lookup="handed_over_at"),
            ],
            documentation="Who handed over and who signed; the entry of the log is an entity.",
            find=_by_uuid(),
            patient_of=_patient,
            order="-handed_over_at",
            changed="handed_over_at",
            includes={"target": Include("MedicationDispense", lambda row: row.pk)},
        ),
        Kind(
            name="Task",
            rows=lambda: WorklistItem.objects.select_related("patient", "reminder"),
            render=lambda work, _: task(work),
            parameters=[
                _of_patient(),
                _of_patient("subject"),
                CodeParameter("status", "", codes=_statuses("state", TASK_STATUS)),
                CodeParameter("code", "the kind of work", codes={kind.value: Q(kind=kind) for kind in WorkKind}),
                DateParameter("authored-on", "when it was opened", lookup="opened_at"),
            ],
            documentation="Work for a person, such as the follow-up of a supply that was not collected.",
            find=_by_uuid(),
            patient_of=_patient,
            includes={
                "patient": _PATIENT,
                "subject": _PATIENT,
                "focus": Include("Communication", lambda row: row.reminder.public_id if row.reminder else None),
            },
        ),
        Kind(
            name="Communication",
            rows=lambda: Reminder.objects.select_related("patient", "plan").prefetch_related("deliveries"),
            render=lambda reminder, _: communication(reminder, reminder.deliveries.all()),
            parameters=[
                _of_patient(),
                _of_patient("subject"),
                CodeParameter(
                    "status",
                    "",
                    codes={
                        status: condition & Q(sending_since__isnull=True)
                        for status, condition in _statuses("state", COMMUNICATION_STATUS).items()
                    }
                    | {BEING_SENT: Q(sending_since__isnull=False)},
                ),
            ],
            documentation="A reminder: what became of it. Its words and addresses are not told.",
            find=_by_uuid("public_id"),
            patient_of=_patient,
            includes={"patient": _PATIENT, "subject": _PATIENT},
        ),
        Kind(
            name="Patient",
            rows=lambda: Patient.objects.prefetch_related("joined_records"),
            render=lambda patient, _: patient_resource(patient),
            parameters=[IdentifierParameter("identifier", "a number of theirs, a former one too", find=_find_patients)],
            documentation="Name, numbers, birth date. By name a patient is searched with POST at /api/v1/patients/search/.",
            find=_by_uuid(),
            patient_of=lambda patient: patient,
        ),
    )
}
"""By name. AuditEvent is not among them: it is searched through the log."""
