"""The demo network, step by step: each module loads one part of it and says what it added."""
