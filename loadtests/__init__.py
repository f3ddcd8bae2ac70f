"""Load on a running service (Locust); a client of its HTTP API."""
