"""Requirements: the expression, the language it is written in, and the proof that one can never be met."""
