"""Requirements: the expression, its language, and the proof of unsatisfiability."""
