"""Is there a Java that Spark can run on?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lakehouse.errors import JavaMissing

WANTED = 17


def java_binary() -> Path:
    """The `java` of JAVA_HOME or PATH, checked to be version 17 or later. Raises JavaMissing."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise JavaMissing(found="there is none" if not home else f"JAVA_HOME={home} has none")
    version = _major_version(found)
    if version < WANTED:
        raise JavaMissing(found=f"{found} is Java {version}")
    return Path(found)


def _major_version(java: str) -> int:
    # `java -version` speaks on stderr: openjdk version "17.0.15" 2025-04-15, or "1.8.0_402"
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(match.group(1)) if match else 0


if __name__ == "__main__":
    try:
        java_binary()
    except JavaMissing as error:
        sys.exit(str(error))
