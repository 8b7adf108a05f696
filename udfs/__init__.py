"""Pure functions of the stream: a batch and state in, state and typed results out."""
