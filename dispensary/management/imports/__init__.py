"""Imports of the day a pharmacy starts with us: of lines of JSON, of a table, of FHIR."""
