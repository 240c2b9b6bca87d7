"""What billing platforms say, read from the wire. Pure: no clock, no database, no framework; one module per format."""
