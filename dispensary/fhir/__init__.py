"""Reader of FHIR R4: a MedicationRequest, alone or in a Bundle, into the case format.

What a resource says is read or asked back; it is never guessed at, and nothing that could change a dose is passed over.
"""

from dispensary.fhir.order import Order, examine_order, read_order
from dispensary.fhir.retraction import read_retraction

__all__ = ["Order", "examine_order", "read_order", "read_retraction"]
