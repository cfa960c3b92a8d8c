"""Words, icons and the dose line for the pages."""
