"""The same service without a screen; the only place that prints."""
