"""How a cluster is read and changed: the wire, the agent inside its JVM, the simulator behind the same wire."""
