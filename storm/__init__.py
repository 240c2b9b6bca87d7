"""The storm: the whole hub as real processes, faults out of a seed, and a checker that shares no code with the product.

`make storm SEED= SECONDS=`; see docs/operating/storm.md.
"""
