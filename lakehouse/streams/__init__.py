"""Streams: from Kafka into bronze and silver, exactly once."""
