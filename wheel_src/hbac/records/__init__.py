"""Files to checked arrays: tables, parquet, checksums, dictionaries."""
