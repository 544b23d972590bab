"""Results shown in a browser of this machine, and of no other."""

import os
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from brainseg.config.errors import ConfigError, DataError
from brainseg.reporting.subject_page import PAGE
from brainseg.results.places import INDEX

HOST = "127.0.0.1"


def server_of(folder: Path, port: int) -> tuple[ThreadingHTTPServer, str]:
    """A server of a folder of results, which answers once `serve_forever` is called, and its address.

    Args:
        folder: What predict.py wrote: all subjects, or one.
        port: 0 takes any that is free.

    Raises:
        DataError: There is no page in the folder.
        ConfigError: The port is taken.
    """
    page = next((name for name in (INDEX, PAGE) if (folder / name).is_file()), None)
    if page is None:
        raise DataError(
            f"{folder}: holds no {INDEX} or {PAGE}; give a folder that predict.py wrote with page=true"
        )
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used ({error.strerror}); give another --port") from error
    return server, f"http://{HOST}:{server.server_port}/{page}"


class _Handler(SimpleHTTPRequestHandler):
    """Files below the folder, only for those who ask for this machine by its own name."""

    def send_head(self) -> Any:
        """What GET and HEAD begin with."""
        # A page from elsewhere may have its own name point here, to read what it must not.
        if (self.headers.get("Host") or "").rsplit(":", 1)[0] not in (HOST, "localhost"):
            return self.send_error(HTTPStatus.FORBIDDEN)
        if not self._is_within():
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def _is_within(self) -> bool:
        """Whether what is asked for may be a file of the folder: a link may lead out, a name may be none."""
        try:
            asked = Path(self.translate_path(self.path))
            os.lstat(asked)  # refuses what no file can be called, e.g. with a zero byte or too long
            return asked.resolve().is_relative_to(Path(self.directory).resolve())
        except (OSError, ValueError, RuntimeError):  # the last is of links in a ring
            return False

    def list_directory(self, path: Any) -> Any:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        pass
