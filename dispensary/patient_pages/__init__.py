"""Pages behind a signed link in a message: the patient's messages, and the stop page."""
