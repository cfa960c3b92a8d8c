"""Checks of a running site: verification, reconciliation, review, system checks."""
