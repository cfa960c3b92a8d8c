"""The rule book: what is safe about dispensing oral baclofen, and why."""
