"""Execution: calling one model after the other, and what their failures mean."""
