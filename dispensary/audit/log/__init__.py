"""The log itself: events, writer, canonical bytes, reader, search, SQL schema."""
