"""Shows results to browsers on this machine only."""

import os
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from brainseg.config.errors import ConfigError, DataError
from brainseg.reporting.subject_page import PAGE
from brainseg.results.names import INDEX

HOST = "127.0.0.1"


def server_of(folder: Path, port: int) -> tuple[ThreadingHTTPServer, str]:
    """A server for a folder of results, and its address. It answers after `serve_forever` is called.

    Args:
        folder: The output of predict.py: all subjects, or one.
        port: 0 takes any free one.

    Raises:
        DataError: There is no page in the folder.
        ConfigError: The port is taken.
    """
    page = next((name for name in (INDEX, PAGE) if (folder / name).is_file()), None)
    if page is None:
        raise DataError(
            f"{folder}: has no {INDEX} or {PAGE}; give a folder that predict.py wrote with page=true"
        )
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used ({error.strerror}); give another --port") from error
    return server, f"http://{HOST}:{server.server_port}/{page}"


class _Handler(SimpleHTTPRequestHandler):
    """Serves files below the folder, only to requests that call this machine by its local name."""

    def send_head(self) -> Any:
        """Refuse a request, or begin the answer to GET and HEAD."""
        # A web page from elsewhere may let its own host name point here, to read the user's results.
        if (self.headers.get("Host") or "").rsplit(":", 1)[0] not in (HOST, "localhost"):
            return self.send_error(HTTPStatus.FORBIDDEN)
        if not self._is_within():
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def _is_within(self) -> bool:
        """Whether the request is for a file in the folder. A link may lead out of it, a name be invalid."""
        try:
            asked = Path(self.translate_path(self.path))
            os.lstat(asked)  # refuses names that no file can have: with a zero byte, or too long
            return asked.resolve().is_relative_to(Path(self.directory).resolve())
        except (OSError, ValueError, RuntimeError):  # the last one is raised for links in a circle
            return False

    def list_directory(self, path: Any) -> Any:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        pass
