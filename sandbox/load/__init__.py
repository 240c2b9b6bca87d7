"""A load generator for MLLP: as many messages as the receiver takes, or a steady rate, and how long each ACK took."""
