"""Using what was selected: calls that fall back along a chain, and what their failures mean."""
