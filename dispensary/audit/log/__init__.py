"""The log itself: events, the way in, the canonical bytes, the way back, search, and the SQL of schema `audit`."""
