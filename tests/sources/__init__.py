"""Tests of lakehouse.sources, against the embedded exchange."""
