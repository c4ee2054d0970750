"""tokenboard: which apps use which models, and how much."""
