"""gunicorn's settings for the bare app: those of `gunicorn.conf.py` without our delivery."""

import runpy

from tools.processes import ROOT

_OURS = ("post_worker_init", "worker_exit")

globals().update(
    {
        name: value
        for name, value in runpy.run_path(str(ROOT / "gunicorn.conf.py")).items()
        if name not in _OURS and not name.startswith("__")
    }
)
