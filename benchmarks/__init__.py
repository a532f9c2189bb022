"""What the library costs, beside the code that one would write by hand."""
