"""A market-data lakehouse on Spark, Delta Lake, dbt and Great Expectations."""
