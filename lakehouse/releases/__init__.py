"""Releases: named manifests of the versions of all silver and gold tables built together."""

from lakehouse.releases.ledger import (
    LATEST,
    NAMED,
    Release,
    all_releases,
    default_release,
    drop,
    expire,
    expired,
    find_release,
    kept_releases,
    kept_versions,
    latest_release,
    record,
    versions_in,
)

__all__ = [
    "LATEST",
    "NAMED",
    "Release",
    "all_releases",
    "default_release",
    "drop",
    "expire",
    "expired",
    "find_release",
    "kept_releases",
    "kept_versions",
    "latest_release",
    "record",
    "versions_in",
]
