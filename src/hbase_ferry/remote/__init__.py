"""How a machine is reached: this one, or an edge node over SSH. Knows bytes and processes, nothing of HBase."""
