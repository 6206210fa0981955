"""Two HBase clusters behind the wire that need nothing but Python: for the demo and for tests."""
