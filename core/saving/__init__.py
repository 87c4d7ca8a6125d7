"""A trace as a file, and back: `saved` writes and reads it, `sound` checks what it says, `tensors` is the form of the file."""
