"""The grammars: bytes to structure and back. Plain Python, no framework, no clock, no database."""
