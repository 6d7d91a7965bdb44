"""A file server on the loopback address, for download tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """The served files (path -> bytes), the requested paths, and faults to simulate."""

    def __init__(self, url: str):
        self.url = url
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.claimed_extra = 0  # bytes announced but never sent
        self.announce_length = True


@contextmanager
def serve() -> Iterator[FileServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            files.requests.append(self.path)
            content = files.files.get(self.path.partition("?")[0])
            self.send_response(404 if content is None else 200)
            if files.announce_length:
                self.send_header("Content-Length", str(len(content or b"") + files.claimed_extra))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        files = FileServer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield files
        finally:
            server.shutdown()
            thread.join()
