"""`RemoteMonitor`: send logs to a server."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.parse
import urllib.request
import warnings
from typing import Any

from jaxkeras.callbacks.callback import Callback

_TIMEOUT = 10  # seconds; a server that hangs must not stop training


class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server by HTTP POST.

    Args:
        root: URL of the server.
        path: path on the server.
        field: name of the form field with the JSON text; unused with `send_as_json`.
        headers: additional HTTP headers.
        send_as_json: whether the body is JSON rather than a form.
    """

    one_process = True  # of several

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ):
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {k: _plain(v) for k, v in (logs or {}).items()}
        try:
            self._post({"epoch": epoch, **values})
        except OSError as error:  # what `requests` raises is one too
            warnings.warn(f"RemoteMonitor cannot reach {self.root}: {error}", stacklevel=2)

    def _post(self, logs: dict[str, Any]) -> None:
        """Send logs with `requests` if it is there, else with the standard library."""
        url, text = self.root + self.path, json.dumps(logs)
        try:
            import requests
        except ImportError:
            body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
            kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
            headers = {"Content-Type": kind, **(self.headers or {})}
            with contextlib.suppress(urllib.error.HTTPError):  # the server was reached
                urllib.request.urlopen(
                    urllib.request.Request(url, body.encode(), headers, method="POST"), timeout=_TIMEOUT
                ).close()
        else:
            if self.send_as_json:
                requests.post(url, json=logs, headers=self.headers)
            else:
                requests.post(url, {self.field: text}, headers=self.headers)


def _plain(value: Any) -> Any:
    """A number from an array of one, and lists from others."""
    if not hasattr(value, "tolist"):
        return value
    return value.item() if value.size == 1 else value.tolist()
