"""Views: load the record, call one action, render the response."""
