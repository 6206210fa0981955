"""What it means: pure functions of views over time. Imports only `model`."""
