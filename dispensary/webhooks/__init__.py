"""Calls from message providers: receipts and replies."""
