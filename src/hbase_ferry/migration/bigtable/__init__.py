"""HBase to Cloud Bigtable: settings, steps and their order. Only `migration.targets` knows this folder."""
