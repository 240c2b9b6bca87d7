"""Files from folders: when one is complete, what is in it, and its messages on their way through the ordinary door."""
