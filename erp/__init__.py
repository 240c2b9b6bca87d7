"""The ledger: cost allocation, journals and the connectors that post them."""
