"""A stand-in ERP: a SQLite ledger behind the protocol of docs/integrating/rest-ledger.md, with faults on request."""
