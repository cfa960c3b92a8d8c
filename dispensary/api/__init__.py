"""The REST and FHIR API: views translate requests into calls of actions."""
