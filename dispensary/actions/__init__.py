"""Everything that changes the database. Keyword-only, `by=` and `now=`, one transaction, one audit line each."""
