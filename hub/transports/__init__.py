"""How bytes leave: one module per transport."""
