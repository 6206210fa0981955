"""hbase-ferry moves live HBase tables while the source keeps serving. Importing the package imports nothing else."""

__version__ = "0.1.0"
