"""The steps of a migration between two HBase clusters, one module a phase. Each is a frozen value over a Context.

Invariant: a step reads a View and nothing else. It names its actions whether or not the view is complete, with
placeholders for what was not observed; the service never sends an action that still has one.
"""
