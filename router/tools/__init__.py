"""Tools: the audit of a repository, and the matrix of models and capabilities."""
