"""Spark jobs: one a file, each a thin `main(argv)` over the library."""
