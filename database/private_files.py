"""Files that only their owner may read: a database holds every email, and links that log in."""

import os
import sys

OWNER_ONLY = 0o600


def create_private(path: str) -> int:
    """Create an empty file of mode 0600, whatever the umask, and open it to read and write.

    Raises `FileExistsError` where there is a file already: its mode is its owner's decision.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    if sys.platform != "win32":
        os.fchmod(file, OWNER_ONLY)  # the umask may have taken bits that are needed
    return file
