"""Stand-in partners for the demo, the tests and the benchmarks: real servers and clients on real sockets.

They share no code with the product, so that a misunderstanding cannot be on both sides of a wire at once.
"""
