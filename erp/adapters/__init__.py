"""The ledger's documents in partners' formats. Pure functions: no framework, no clock, no database."""
