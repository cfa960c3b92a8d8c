"""Door 1: REST and FHIR. It translates and calls actions; nothing is decided here."""
