"""A call of a hook, read: its drafts of baclofen, the patient, and the facts and supplies that came along.

What cannot be used is noted or asked by its place in the call; only a call that is no call is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from itertools import chain
from typing import Any, Final
from uuid import UUID, uuid4

from baclofen_rules.medicines import names_own_medicine, own_medicine
from baclofen_rules.products import Identity, identify
from dispensary.api.cds_hooks.fetching import NotFetched, fetch, fill_template
from dispensary.api.cds_hooks.services import PREFETCH, RESULTS, Service
from dispensary.api.problems import describe
from dispensary.errors import DispensaryError, InvalidInput, Problem
from dispensary.fhir import Order, examine_order
from dispensary.fhir.elements import Inquiry, as_object, as_objects, as_text
from dispensary.fhir.facts import (
    Medications,
    Resources,
    is_about,
    name_medicine,
    read_allergies,
    read_conditions,
    read_medicines,
    read_observations,
)
from dispensary.fhir.people import read_patient
from dispensary.fhir.resources import MOST_ORDERS
from dispensary.fhir.supplies import read_supplies

_DRAFT_INTENTS: Final = frozenset({"proposal", "plan", ""})
_NOT_NEEDED: Final = ("identifier", "name")
"""Elements of the patient that intake needs and a review does not."""
_NOBODY: Final = uuid4()


class MissingPrefetch(DispensaryError):
    """Something that the service cannot do without was not sent along."""

    code = "missing-prefetch"
    title = "Something the review needs was not sent along"
    status = 412


@dataclass(frozen=True, slots=True)
class Draft:
    """An order of a call."""

    resource: Mapping[str, Any]
    order: Order


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it was read."""

    hook_instance: UUID
    patient: Mapping[str, Any]
    """The patient in the form of the REST body."""
    facts: Mapping[str, Any]
    """Facts of the case format; what was not supplied is absent."""
    supplies: Sequence[Mapping[str, Any]] | None
    """Supplies of baclofen as a case has them; None where they were not supplied."""
    drafts: Sequence[Draft]
    notes: Sequence[str] = field(default_factory=list)
    problems: Sequence[Problem] = field(default_factory=list)


def read_call(body: Any, service: Service, *, on: date, zone: tzinfo) -> Call:
    """Read a call. Raises `InvalidInput` for one that is malformed, `MissingPrefetch` for one without its patient."""
    envelope = _mapping(body, "", "an object with hook, hookInstance and context")
    if envelope.get("hook") != service.hook:
        raise _refuse("hook", envelope.get("hook"), service.hook)
    try:
        hook_instance = UUID(str(envelope.get("hookInstance")))
    except ValueError:
        raise _refuse("hookInstance", envelope.get("hookInstance"), "a UUID") from None
    context = _mapping(envelope.get("context"), "context", "an object")
    patient_id = context.get("patientId")
    if not isinstance(patient_id, str) or not patient_id:
        raise _refuse("context.patientId", patient_id, "the id of the patient, without a resource type")
    prefetch = _mapping(envelope.get("prefetch") or {}, "prefetch", "an object")
    inquiry = Inquiry(on, zone)
    supplied = _select_usable(dict(prefetch) | _fetch_missing(envelope, prefetch, patient_id, inquiry), inquiry)
    resources = {
        key: [
            (path, thing)
            for path, thing in listed
            if is_about(thing, path, inquiry, lambda reference: reference.rpartition("/")[2] == patient_id)
        ]
        for key, listed in supplied.items()
    }
    sent_patients = _of_type(resources.get("patient", ()), "Patient")
    patients = [pair for pair in sent_patients if pair[1].get("id", patient_id) == patient_id]
    if len(patients) != 1:
        given = "another patient" if sent_patients and not patients else f"{len(patients)} patients"
        problem = Problem(
            "prefetch.patient",
            "nothing" if "patient" not in supplied else given,
            f"Patient/{patient_id}",
            " ".join(["Resolve the prefetch template `patient` and call again.", *inquiry.notes]),
        )
        raise MissingPrefetch("The patient was not sent along.", problem)
    in_context = _list_context(context, inquiry)
    came_along = [*in_context, *chain.from_iterable(resources.values())]
    medications = {f"Medication/{thing.get('id')}": thing for _, thing in _of_type(came_along, "Medication")}
    drafts, others = [], []
    requests = _select_requests(in_context, context, service.hook, inquiry)
    if len(requests) > MOST_ORDERS:
        raise InvalidInput(
            "The call cannot be read.", Problem("context", f"{len(requests)} orders", f"at most {MOST_ORDERS}")
        )
    for path, thing in requests:
        if _is_own_medicine(thing, path, medications, inquiry):
            drafts.append(_read_draft(thing, path, patient_id, medications, inquiry))
        else:
            others.append((path, thing))
    details, facts = _read_patient(patients[0], inquiry)
    facts |= _read_facts(resources, others, medications, inquiry)
    dispenses = resources.get("dispenses")
    return Call(
        hook_instance,
        details,
        facts,
        None if dispenses is None else read_supplies(dispenses, medications, inquiry),
        drafts,
        inquiry.notes,
        inquiry.problems,
    )


def _fetch_missing(
    envelope: Mapping[str, Any], prefetch: Mapping[str, Any], patient_id: str, inquiry: Inquiry
) -> dict[str, Any]:
    """Return what the client's FHIR server says of the keys that were not sent along; what it does not say is noted."""
    server = envelope.get("fhirServer")
    queries = {key: fill_template(query, patient_id) for key, query in PREFETCH.items() if key not in prefetch}
    if not server or not queries:
        return {}
    if not isinstance(server, str):
        raise _refuse("fhirServer", server, "the address of a FHIR server")
    authorization = _mapping(envelope.get("fhirAuthorization") or {}, "fhirAuthorization", "an object")
    fetched: dict[str, Any] = {}
    for key, answer in fetch(queries, server, authorization).items():
        if isinstance(answer, NotFetched):
            inquiry.note(f"prefetch.{key}", f"was not sent along, and the FHIR server {answer}")
        else:
            fetched[key] = answer
    return fetched


def _select_usable(prefetch: Mapping[str, Any], inquiry: Inquiry) -> dict[str, Resources]:
    """Return the resources of the values of a prefetch that answer their query; any other is noted, and as unknown as one that is absent."""
    usable: dict[str, Resources] = {}
    for key, value in prefetch.items():
        path = f"prefetch.{key}"[:80]
        own = Inquiry(inquiry.on, inquiry.zone)
        listed = _list_resources(value, path, own)
        is_result = value is not None and key in RESULTS
        if is_result and (reason := _find_fault(value, listed, RESULTS[key])):
            inquiry.note(path, f"{reason}; what it would say is not known")
            continue
        usable[key] = listed
        inquiry.problems += own.problems
        if is_result and "_count" not in PREFETCH[key] and _is_cut(value, path, inquiry):
            inquiry.ask(path, "a part of a longer list", "the whole list", "Send the further pages along.")
    return usable


def _is_cut(bundle: Mapping[str, Any], path: str, inquiry: Inquiry) -> bool:
    """Return whether a Bundle names a next page, or counts more matches than it has entries."""
    links = as_objects(bundle.get("link"), f"{path}.link", inquiry)
    total = bundle.get("total")
    return any(link.get("relation") == "next" for _, link in links) or (
        isinstance(total, int) and total > len(bundle.get("entry") or [])
    )


def _find_fault(value: Any, listed: Resources, kinds: frozenset[str]) -> str:
    """Return why a value with these resources is no result of a query for resources of these kinds; empty where it is one."""
    if not isinstance(value, Mapping) or value.get("resourceType") not in {*kinds, "Bundle", "OperationOutcome"}:
        return f"is neither {' nor '.join(sorted(kinds))} nor a Bundle"
    things = [thing for _, thing in listed]
    outcomes = [thing for thing in things if thing.get("resourceType") == "OperationOutcome"]
    if value in outcomes or any(_is_failure(outcome) for outcome in outcomes):
        return "is the failure of its query"
    others = {thing.get("resourceType") for thing in things} - {"OperationOutcome", "Medication"}
    return "is the answer to another query" if others and others.isdisjoint(kinds) else ""


def _is_failure(outcome: Mapping[str, Any]) -> bool:
    issues = as_objects(outcome.get("issue"), "", Inquiry())
    return any(issue.get("severity") in {"fatal", "error"} for _, issue in issues)


def _read_patient(pair: tuple[str, Mapping[str, Any]], inquiry: Inquiry) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the person and the facts that a Patient states; a lacking number or name is no question here."""
    path, resource = pair
    own = Inquiry(inquiry.on, inquiry.zone)
    details = dict(read_patient(resource, path, own).details)
    not_needed = {f"{path}.{name}" for name in _NOT_NEEDED}
    inquiry.problems += [problem for problem in own.problems if problem.field not in not_needed]
    inquiry.notes += own.notes
    return details, {name: details[name] for name in ("birth_date", "sex") if name in details}


def _read_facts(
    resources: Mapping[str, Resources], others: Resources, medications: Medications, inquiry: Inquiry
) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if "conditions" in resources:
        facts["conditions"] = read_conditions(_of_type(resources["conditions"], "Condition"), inquiry)
    if "allergies" in resources:
        allergies = read_allergies(_of_type(resources["allergies"], "AllergyIntolerance"), inquiry)
        if allergies is not None:
            facts["allergies"] = allergies
    if "medications" in resources:
        taken = [*_of_type(resources["medications"], "MedicationRequest", "MedicationStatement"), *others]
        facts["medicines"] = read_medicines(taken, inquiry, medications)
    observations = [pair for key in ("weight", "egfr", "pregnancy") for pair in resources.get(key, ())]
    return facts | read_observations(_of_type(observations, "Observation"), inquiry)


def _read_draft(
    resource: Mapping[str, Any],
    path: str,
    patient_id: str,
    medications: Medications,
    inquiry: Inquiry,
) -> Draft:
    """Read a draft as an order that is signed on the day of the call; for whom and by whom the call itself says."""
    subject = resource.get("subject")
    reference = str(subject.get("reference", "")) if isinstance(subject, Mapping) else ""
    notes: list[str] = []
    problems: list[Problem] = []
    if reference and reference.rpartition("/")[2] != patient_id:
        problems.append(Problem(f"{path}.subject", "another patient", f"Patient/{patient_id}", "Check whom it is for."))
    request = dict(resource) | {
        "subject": {"reference": f"Patient/{_NOBODY}"},
        "requester": {"reference": f"Practitioner/{_NOBODY}"},
        "dosageInstruction": _lift_doses(resource.get("dosageInstruction"), path, notes),
    }
    if request.get("status") == "draft":
        request["status"] = "active"
    if request.get("intent", "") in _DRAFT_INTENTS:
        request["intent"] = "order"
    if "authoredOn" not in request and inquiry.on is not None:
        request["authoredOn"] = inquiry.on.isoformat()
        notes.append(f"{path}.authoredOn: not said; a draft is taken as written today")
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": request}, *({"resource": thing} for thing in medications.values())],
    }
    order = examine_order(bundle, inquiry.on, inquiry.zone)
    return Draft(resource, replace(order, notes=(*notes, *order.notes), problems=(*problems, *order.problems)))


def _lift_doses(instructions: Any, path: str, notes: list[str]) -> Any:
    """Move a `doseQuantity` that stands directly under an instruction to where FHIR R4 has it."""
    if not isinstance(instructions, list):
        return instructions
    lifted = []
    for number, instruction in enumerate(instructions):
        if isinstance(instruction, Mapping) and "doseQuantity" in instruction and "doseAndRate" not in instruction:
            rest = {name: value for name, value in instruction.items() if name != "doseQuantity"}
            lifted.append(rest | {"doseAndRate": [{"doseQuantity": instruction["doseQuantity"]}]})
            notes.append(f"{path}.dosageInstruction[{number}].doseQuantity: read as doseAndRate.doseQuantity")
        else:
            lifted.append(instruction)
    return lifted


def _list_context(context: Mapping[str, Any], inquiry: Inquiry) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the resources of a context as (path, resource).

    `medication-verify` has its order at one of four places, since its text contradicts itself.
    """
    resources = []
    for name in ("draftOrders", "medications", "medication", "order"):
        value, where = context.get(name), f"context.{name}"
        if isinstance(value, Mapping) and "resourceType" not in value and isinstance(value.get("resource"), Mapping):
            value, where = value["resource"], f"{where}.resource"
        resources += _list_resources(value, where, inquiry)
    return resources


def _select_requests(resources: Resources, context: Mapping[str, Any], hook: str, inquiry: Inquiry) -> Resources:
    """Return the MedicationRequests of a context; those that were selected, where the hook says which.

    A selection that is no resource of the context is asked about, and nothing is then left out.
    """
    requests = _of_type(resources, "MedicationRequest")
    selections = context.get("selections")
    if hook != "order-select" or not isinstance(selections, list):
        return requests
    names = {f"{thing.get('resourceType')}/{thing.get('id')}" for _, thing in resources}
    if not all(isinstance(name, str) and name in names for name in selections):
        inquiry.ask("context.selections", "a resource that is not in draftOrders", "the type and id of a draft order")
        return requests
    return [(path, thing) for path, thing in requests if f"MedicationRequest/{thing.get('id')}" in selections]


def _is_own_medicine(request: Mapping[str, Any], path: str, medications: Medications, inquiry: Inquiry) -> bool:
    """Return whether a draft is ours to review. One whose medicine cannot be told is: it is asked about."""
    medicine = name_medicine(request, path, inquiry, medications)
    return (
        medicine is None
        or identify(medicine, None, own_medicine())[0] is not Identity.OTHER
        or names_own_medicine(medicine.name or "", own_medicine())
    )


def _of_type(pairs: Resources, *kinds: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [(path, thing) for path, thing in pairs if thing.get("resourceType") in kinds]


def _list_resources(value: Any, path: str, inquiry: Inquiry) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the resources of a value as (path, resource): one, a Bundle's, or none for null."""
    if value is None:
        return []
    thing = as_object(value, path, inquiry)
    if thing.get("resourceType") != "Bundle":
        return [(path, thing)] if as_text(thing.get("resourceType"), path, inquiry) else []
    entries = thing.get("entry") or []
    if not isinstance(entries, list):
        raise _refuse(f"{path}.entry", entries, "a list")
    resources = []
    for number, entry in enumerate(entries):
        where = f"{path}.entry[{number}].resource"
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping) and isinstance(resource.get("resourceType"), str):
            resources.append((where, resource))
        else:
            inquiry.ask(where, "no resource", "a FHIR R4 resource", "What it would say is not known.")
    return resources


def _mapping(value: Any, field: str, expected: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise _refuse(field, value, expected)


def _refuse(field: str, value: Any, expected: str) -> InvalidInput:
    given = "nothing" if value is None else describe(value)
    return InvalidInput("The call cannot be read.", Problem(field, given, expected))
