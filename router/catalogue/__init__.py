"""The catalogue, with policies, decisions, explanations, diffs and gates."""
