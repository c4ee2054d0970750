"""Screenshots of the demo's pages for the docs: ``make screenshots``."""
