"""What is seen of a crossing to Cloud Bigtable, and what it means: counters, losses, stalls, names, checks."""
