"""Whether a service can be reached at all: asked before scans are prepared, and only where one is named."""

import os
import socket
import threading
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from omegaconf import DictConfig

from brainseg.config.errors import ConfigError

SECONDS = 5.0  # for the name and for the connection together
_PORTS = {"http": 80, "https": 443}


def refuse_unreachable(cfg: DictConfig) -> None:
    """Refuse to begin a training whose dashboard is on a server without a route to it.

    Raises:
        ConfigError: The message says how to train without the server.
    """
    loggers = cfg.logger or {}
    if loggers.get("wandb") is not None and (server := _wandb_server(loggers["wandb"])):
        _reach("wandb", server, "WANDB_MODE=offline keeps the run here until `wandb sync`")
    if loggers.get("mlflow") is not None:
        server = loggers["mlflow"].get("tracking_uri") or os.environ.get("MLFLOW_TRACKING_URI", "")
        if server.startswith("http"):
            _reach("mlflow", server, "start the server, or unset it to keep the run in mlflow.db")


def _wandb_server(settings: DictConfig) -> str:
    """The address that W&B would talk to, "" where it is to stay offline."""
    import wandb

    known = wandb.setup().settings  # of the environment and of the files that `wandb offline` writes
    mode = settings.get("mode") or os.environ.get("WANDB_MODE") or known.mode
    server = os.environ.get("WANDB_BASE_URL") or known.base_url
    return "" if mode != "online" or settings.get("offline") else str(server)


def _reach(logger: str, server: str, mend: str) -> None:
    url = urlparse(server)
    proxy = getproxies().get(url.scheme)
    by_proxy = proxy and not proxy_bypass(url.hostname or "")
    way = urlparse(proxy if proxy and "//" in proxy else f"http://{proxy}") if by_proxy else url
    if error := _error_of_connection(way.hostname or "", way.port or _PORTS.get(way.scheme, 443)):
        through = f" through the proxy {way.hostname}" if by_proxy else ""
        raise ConfigError(f"logger={logger}: {server} cannot be reached{through} ({error}); {mend}")


def _error_of_connection(host: str, port: int) -> str:
    """What hinders a connection; "" where there is one. Looking up a name has no timeout of its own."""
    found: list[str] = []

    def attempt() -> None:
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
            found.append("")
        except OSError as error:
            found.append(error.strerror or str(error))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return found[0] if found else f"no answer in {SECONDS:.0f} seconds"
