"""Verbs of the shared language: masters, mappings, dimensions. Each takes `by=`."""
