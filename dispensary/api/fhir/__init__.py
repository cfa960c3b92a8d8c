"""FHIR R4: rows rendered as resources, searches, answers. R4 and not R5, since R5 took `detectedIssue` out of MedicationDispense."""
