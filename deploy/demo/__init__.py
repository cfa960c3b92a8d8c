"""The demo: real servers, real workers, and one day's work done through the HTTP API before your eyes (`make demo`)."""
