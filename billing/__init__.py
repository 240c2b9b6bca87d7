"""Billing: what was charged, credited, held; where it came from."""
