"""The actions: all writes to the database. Keyword-only, `by=` and `now=`, one transaction and one audit entry each."""
