"""Checks of a running site: the log against itself, the tables against the log, the daily review, system checks."""
