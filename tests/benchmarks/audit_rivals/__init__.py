"""The same small dispense, once for each way of keeping a history: tables for the side-by-side benchmark alone."""
