"""An HTTP server on loopback that can be told to misbehave, and a data set that it publishes."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from data_scripts.photographs import download, sources
from data_scripts.photographs.sources import Archive, Source
from tests.data_scripts.fetching.archives import TAR, write_mirror


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Bytes read since the last full step are lost with a cut connection."""
    monkeypatch.setattr(download, "_CHUNK", 1000)


@pytest.fixture
def web():
    """A server: `web.files` by name, `web.cuts` = bytes after which each answer breaks off."""
    state = SimpleNamespace(files={}, cuts=[], ranges=True, marks=True, log=[], on_request=None)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802, the name is the library's
            wanted = self.headers.get("Range")
            state.log.append((self.path, wanted))
            if state.on_request:
                state.on_request(len(state.log))
            body = state.files.get(self.path.lstrip("/"))
            if body is None:
                return self.send_error(404)
            mark = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
            start = 0
            if state.ranges and wanted and self.headers.get("If-Range", mark) == mark:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if state.marks:
                self.send_header("ETag", mark)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            cut = state.cuts.pop(0) if state.cuts else None
            self.wfile.write(body[start:] if cut is None else body[start : start + cut])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def publish(web, monkeypatch):
    """Make `demo` a source whose one archive is served under the name and with the hash given."""

    def make(body: bytes, name="demo.tar", md5=True, images=8, **archive):
        web.files[name] = body
        known = f"md5:{hashlib.md5(body).hexdigest()}" if md5 is True else md5
        pattern = archive.pop("pattern", r"(?P<label>[^/]+)/(?P<file>[^/]+\.jpg)")
        archives = (Archive(f"{web.url}/{name}", name, known, pattern, **archive),)
        source = Source(
            *("A demo", "http://example.org", "free", "all", "us"),
            archives=archives,
            mirror="demo_16px",
            images=images,
            label_column="kind" if archive.get("table") else None,
        )
        monkeypatch.setitem(sources.SOURCES, "demo", source)

    return make


@pytest.fixture
def mirror(tmp_path, publish):
    publish(TAR)
    folder = tmp_path / "mirror"
    folder.mkdir()
    write_mirror(folder, TAR, 8)
    return folder
