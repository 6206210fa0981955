"""What was seen: frozen values of both clusters, each with the moment it was observed. Imports nothing of ours.

Cluster reads build these, `insight` interprets them, `migration` decides from them, front ends draw them.
Invariant: a value here was observed; what could not be observed is `None` with the reason beside it.
"""
