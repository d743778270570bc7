"""The Hugging Face Hub, or a mirror that speaks its API, through huggingface_hub and its HTTP client.

The listing comes from `HfApi.model_info`; the revision is resolved to a commit once and every file is asked
for by that commit. Bytes come over `hf_hub_url` with the library's own session and error mapping rather than
through `hf_hub_download`: that one names its incomplete files itself, checks sizes but no digest, and shows
progress only to a tqdm class, while we want to hash bytes as they arrive and to resume by our own rules. The
library's session follows the redirect to the CDN without the token, and honours HTTPS_PROXY and
SSL_CERT_FILE.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

from ..errors import (
    GatedModel,
    InvalidModel,
    ModelInitError,
    ModelNotFound,
    NoNetwork,
    ShortBody,
    TransientError,
)
from ..plan import Digest, Plan, PlannedFile, select_files
from ..settings import Settings
from ..sink import Sink
from .retry import T, keep_trying

LISTING_TIMEOUT_S = 30
DOWNLOAD_TIMEOUT = httpx2.Timeout(30, connect=10)
_TRANSIENT_CODES = (408, 425, 429, 500, 502, 503, 504)
_RANGE_NOT_SATISFIABLE = 416


class HubSource:
    """See `sources.Source`."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._token: str | bool = settings.hf_token or False
        self._api = HfApi(endpoint=settings.hf_endpoint, token=self._token, library_name="qwen-appliance")

    def plan(self) -> Plan:
        """See `sources.Source.plan`."""
        info = self._call(self._model_info)
        if not info.sha or not info.siblings:
            raise InvalidModel(
                f"expected a commit and a list of files from {self._api.endpoint}, found none; use another "
                f"HF_ENDPOINT"
            )
        listed = {sibling.rfilename: sibling for sibling in info.siblings}
        names = select_files(list(listed), self._settings.model_format, self._settings.gguf_file)
        files = tuple(_planned(listed[name]) for name in names)
        return Plan("hub", self._settings.model_format, info.sha, files)

    def fetch(self, plan: Plan, file: PlannedFile, sink: Sink, progress: Callable[[int], None]) -> None:
        """See `sources.Source.fetch`. A file that stays too short is left so, for the caller to see."""
        url = hf_hub_url(
            self._settings.model_id, file.path, revision=plan.revision, endpoint=self._api.endpoint
        )

        def rest() -> None:
            if sink.size < file.size:
                self._stream(url, file, sink, progress)

        try:
            self._call(rest, reached=lambda: sink.size)
        except ShortBody as error:
            self._say(f"{error}, again and again")

    def _model_info(self) -> ModelInfo:
        return self._api.model_info(
            self._settings.model_id,
            revision=self._settings.revision or "main",
            files_metadata=True,
            timeout=LISTING_TIMEOUT_S,
        )

    def _stream(self, url: str, file: PlannedFile, sink: Sink, progress: Callable[[int], None]) -> None:
        # identity: ranges and sizes are those of the file itself, not of a compressed form.
        headers = build_hf_headers(token=self._token, library_name="qwen-appliance") | {
            "Accept-Encoding": "identity"
        }
        if sink.size:
            headers["Range"] = f"bytes={sink.size}-"
        with get_session().stream("GET", url, headers=headers, timeout=DOWNLOAD_TIMEOUT) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE:
                sink.restart()
                raise ShortBody(f"{file.path}: the source has no byte {sink.size} and beyond")
            hf_raise_for_status(response)
            if sink.size and _range_start(response) != sink.size:
                sink.restart()
            for chunk in response.iter_bytes():
                sink.write(chunk)
                progress(sink.size)
        if sink.size < file.size:
            raise ShortBody(f"{file.path}: the source ended after {sink.size} of {file.size} bytes")

    def _call(self, operation: Callable[[], T], reached: Callable[[], int] = lambda: 0) -> T:
        def once() -> T:
            try:
                return operation()
            except (httpx2.HTTPError, httpx2.StreamError) as error:
                raise self._translate(error) from error

        try:
            return keep_trying(
                once, self._settings, lambda text: self._say(f"{self._api.endpoint}: {text}"), reached
            )
        except ShortBody:
            raise
        except TransientError as error:
            raise self._no_network(str(error)) from error

    def _translate(self, error: Exception) -> ModelInitError | TransientError:
        """What a failure of the client means for us."""
        model, revision, where = (
            self._settings.model_id,
            self._settings.revision or "main",
            self._api.endpoint,
        )
        if isinstance(error, GatedRepoError):
            found = "the token's account has no access" if self._settings.hf_token else "no token"
            return GatedModel(
                f"gated model: expected access to {model}, found {found}; accept the licence at "
                f"{where}/{model} "
                "and give a read token of that account (HF_TOKEN)"
            )
        if isinstance(error, RevisionNotFoundError):
            return ModelNotFound(
                f"no such revision: expected {revision!r} of {model} on {where}, found none; correct "
                f"MODEL_REVISION"
            )
        if isinstance(error, (RepositoryNotFoundError, DisabledRepoError)):
            return ModelNotFound(
                f"no such model: expected {model} on {where}, found none (or a private one); "
                "correct MODEL_ID, or give a token that may read it (HF_TOKEN)"
            )
        if isinstance(error, HfHubHTTPError):
            return self._translate_status(error)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return self._no_network(
                f"an untrusted certificate ({error}); if a proxy inspects TLS, set CA_BUNDLE"
            )
        return TransientError(f"no answer ({type(error).__name__}: {_one_line(error)})")

    def _translate_status(self, error: HfHubHTTPError) -> ModelInitError | TransientError:
        code, where = error.response.status_code, self._api.endpoint
        if code in _TRANSIENT_CODES:
            return TransientError(f"the answer {code}", _retry_after(error.response))
        if code in (401, 403):
            return GatedModel(
                f"not authorised: expected {where} to accept our request, found {code}; "
                "check that the token (HF_TOKEN) is valid and may read this model"
            )
        if code in (404, 410):
            return ModelNotFound(
                f"no such file: expected {error.request.url.path} on {where}, found {code}; use another "
                f"MODEL_REVISION"
            )
        return self._no_network(f"the answer {code}")

    def _no_network(self, found: str) -> NoNetwork:
        return NoNetwork(
            f"no network: expected an answer from {self._api.endpoint}, found: {found}. Check the "
            f"connection and "
            "HTTPS_PROXY, set HF_ENDPOINT to a mirror, or bring the files by hand (MODEL_SOURCE=folder)"
        )


def _planned(sibling: RepoSibling) -> PlannedFile:
    if sibling.size is None:
        raise InvalidModel(
            f"expected the size of {sibling.rfilename} from the hub, found none; use another HF_ENDPOINT"
        )
    if sibling.lfs is not None:
        return PlannedFile(sibling.rfilename, sibling.size, Digest("sha256", sibling.lfs.sha256))
    if sibling.blob_id is None:
        raise InvalidModel(
            f"expected the digest of {sibling.rfilename} from the hub, found none; use another HF_ENDPOINT"
        )
    return PlannedFile(sibling.rfilename, sibling.size, Digest("git-sha1", sibling.blob_id))


def _range_start(response: httpx2.Response) -> int:
    """Where the body starts in the file: 0 unless the server says that it honoured our range."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if response.status_code == 206 and match else 0


def _retry_after(response: httpx2.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no reason given"
