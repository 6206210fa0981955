"""A Bigtable instance behind the wire. The only place that imports google-cloud-bigtable (extra `bigtable`)."""
