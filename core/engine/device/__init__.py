"""What a pass on a GPU captures stays there until somebody looks at it."""
