"""What Cloud Bigtable takes: names, sizes, retention. Pure."""
