"""The races use the fault tests' network, committed, so that every thread has a connection of its own."""

from tests.faults.conftest import (
    cheap_passwords,
    committed_books,
    committed_network,
    erp_process,
    no_kept_connections,
)

__all__ = ["cheap_passwords", "committed_books", "committed_network", "erp_process", "no_kept_connections"]
