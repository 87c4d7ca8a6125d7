"""Our own transformer, written as in the paper, and how it is trained."""
