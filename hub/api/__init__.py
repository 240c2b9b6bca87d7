"""The REST API, `/api/v1/`: what every app's `api.py` builds on, and the hub's own resources."""
