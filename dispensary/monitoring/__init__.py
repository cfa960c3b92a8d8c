"""Health check and Prometheus metrics of the reminder engine."""
