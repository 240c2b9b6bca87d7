"""Billing's verbs: capture and hold charges, release and waive them, keep visits."""
