"""Tests of lakehouse.producers, against a feed of their own and a real broker."""
