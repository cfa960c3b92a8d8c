"""What is stored: fields, constraints, choices. Nothing here asks the clock or writes by itself."""

from dispensary.models.dispense import Dispense, DispenseStatus, IdempotentRequest
from dispensary.models.patient import Patient, Prescriber, PriorSupply, Relation, Sex
from dispensary.models.pharmacy import Language, Pharmacy, StaffMember, StaffRole
from dispensary.models.prescription import DoseUnit, Phase, Prescription, PrescriptionStatus, Source
from dispensary.models.product import Product
from dispensary.models.review import (
    Finding,
    FindingSeverity,
    Mitigation,
    Outcome,
    Override,
    OverrideState,
    Review,
    ReviewReason,
    SignatureMethod,
)

__all__ = [
    "Dispense",
    "DispenseStatus",
    "DoseUnit",
    "Finding",
    "FindingSeverity",
    "IdempotentRequest",
    "Language",
    "Mitigation",
    "Outcome",
    "Override",
    "OverrideState",
    "Patient",
    "Pharmacy",
    "Phase",
    "Prescriber",
    "Prescription",
    "PrescriptionStatus",
    "PriorSupply",
    "Product",
    "Relation",
    "Review",
    "ReviewReason",
    "Sex",
    "SignatureMethod",
    "Source",
    "StaffMember",
    "StaffRole",
]
