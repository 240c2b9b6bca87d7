"""Servers for a machine that has none: a private PostgreSQL and a Redis-compatible server, and a supervisor.

`make demo`, `make test` and the benchmarks use it; production does not (there DATABASE_URL and REDIS_URL name real
servers). It is plain Python without Django and stands beside the five packages of the product, see
docs/adr/0002-embedded-servers.md.
"""

from embedded.errors import EmbeddedError
from embedded.servers import Servers, up

__all__ = ["EmbeddedError", "Servers", "up"]
