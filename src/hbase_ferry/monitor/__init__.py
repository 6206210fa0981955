"""When to look: one poller a cluster, and a bounded history of what was seen."""
