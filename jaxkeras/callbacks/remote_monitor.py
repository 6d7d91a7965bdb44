"""`RemoteMonitor`: send logs to a server."""

from __future__ import annotations

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
        values = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **values})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        request = urllib.request.Request(
            self.root + self.path, body.encode(), {"Content-Type": kind, **(self.headers or {})}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT):
                pass
        except urllib.error.HTTPError:
            pass  # the server was reached
        except OSError as error:
            warnings.warn(f"RemoteMonitor cannot reach {self.root}: {error}", stacklevel=2)
