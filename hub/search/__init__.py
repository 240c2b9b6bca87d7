"""Search: tokens and their keyed filters (the blind index), the walk through them, and finders of business keys."""
