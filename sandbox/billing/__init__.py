"""A stand-in billing platform: three hospitals' charges as HL7 v2 DFT^P03 over MLLP, as odd as real feeds are."""
