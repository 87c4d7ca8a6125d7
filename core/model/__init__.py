"""Our own transformer, written as in the paper, and the recurrent models that came before it."""
