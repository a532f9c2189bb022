"""How fast the index answers, beside the code that one would write by hand."""
