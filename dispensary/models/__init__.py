"""The stored rows: fields, constraints, choices. Nothing here asks the clock or writes by itself."""

from dispensary.models.audit import AuditBody, AuditCheckpoint, AuditEntry, AuditLog
from dispensary.models.contacts import (
    Consent,
    ConsentAnswer,
    ConsentEvent,
    ConsentSource,
    ContactFault,
    ContactPoint,
    DetailLevel,
    Medium,
    Suppression,
    SuppressionReason,
)
from dispensary.models.dispense import Dispense, DispenseStatus, IdempotentRequest
from dispensary.models.override import Mitigation, Override, OverrideState, SignatureMethod
from dispensary.models.patient import Patient, Prescriber, PriorSupply, Relation, Sex
from dispensary.models.pharmacy import Language, Pharmacy, StaffMember, StaffRole
from dispensary.models.prescription import (
    DoseUnit,
    Phase,
    Prescription,
    PrescriptionIdentifier,
    PrescriptionStatus,
    SenderStatus,
    Source,
)
from dispensary.models.product import Product
from dispensary.models.reminders import (
    Delivery,
    DeliveryOutcome,
    EngineHeartbeat,
    InboundEvent,
    Reminder,
    ReminderPlan,
    ReminderState,
    Withdrawal,
)
from dispensary.models.review import Finding, FindingSeverity, Outcome, Review, ReviewReason
from dispensary.models.worklist import Resolution, WorkKind, WorklistItem, WorkState

__all__ = [
    "AuditBody",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditLog",
    "Consent",
    "ConsentAnswer",
    "ConsentEvent",
    "ConsentSource",
    "ContactFault",
    "ContactPoint",
    "Delivery",
    "DeliveryOutcome",
    "DetailLevel",
    "Dispense",
    "DispenseStatus",
    "DoseUnit",
    "EngineHeartbeat",
    "Finding",
    "FindingSeverity",
    "IdempotentRequest",
    "InboundEvent",
    "Language",
    "Medium",
    "Mitigation",
    "Outcome",
    "Override",
    "OverrideState",
    "Patient",
    "Pharmacy",
    "Phase",
    "Prescriber",
    "Prescription",
    "PrescriptionIdentifier",
    "PrescriptionStatus",
    "PriorSupply",
    "Product",
    "Relation",
    "Reminder",
    "ReminderPlan",
    "ReminderState",
    "Resolution",
    "Review",
    "ReviewReason",
    "SenderStatus",
    "Sex",
    "SignatureMethod",
    "Source",
    "StaffMember",
    "StaffRole",
    "Suppression",
    "SuppressionReason",
    "Withdrawal",
    "WorkKind",
    "WorkState",
    "WorklistItem",
]
