"""Door 4: what others call. Providers with receipts and replies, mail programs with one click, monitors with a question."""
