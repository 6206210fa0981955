"""The preflight's checks, one module a subject. `insight.preflight` runs them all; nobody else calls them."""
