"""FHIR R4: a MedicationRequest read into the case format, a dispense rendered as a MedicationDispense.

Pure functions, no database. What a resource says is read or asked back; it is never guessed at, and nothing that could change
a dose is passed over. R4 and not R5, since R5 took `detectedIssue` out of MedicationDispense.
"""

from dispensary.api.fhir.order import Order, examine_order, read_order
from dispensary.api.fhir.people import Person
from dispensary.api.fhir.retraction import differing_elements, read_retraction

__all__ = ["Order", "Person", "differing_elements", "examine_order", "read_order", "read_retraction"]
