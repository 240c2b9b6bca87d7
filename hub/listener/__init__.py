"""The MLLP listener: framing, connections, group commit, ports. Plain asyncio; the database is behind one thread."""
