"""For `gunicorn -c`: our settings, and a disk that is full while a file says so.

DISK_IS_FULL is that file's path. SQLite then refuses every page more, in its own words for a disk
without room: "database or disk is full".
"""

import os
import runpy
from pathlib import Path
from typing import Any

from sqlalchemy import Pool, event

globals().update(runpy.run_path(str(Path(__file__).parents[3] / "gunicorn.conf.py")))

ENOUGH = 1_000_000_000  # pages


@event.listens_for(Pool, "checkout")
def _limit_pages(connection: Any, *_: Any) -> None:
    # A limit below the present size stands for the present size.
    pages = 1 if Path(os.environ["DISK_IS_FULL"]).exists() else ENOUGH
    connection.execute(f"PRAGMA max_page_count = {pages}")
