"""A model's file list from the Hub or a mirror of it, by huggingface_hub: its call, its errors, its parsing.

`HfApi.model_info` with file metadata gives commit, names, sizes and digests in one answer, so that nothing
can change between them. Where a server leaves sizes or digests out of it, the tree of that commit has them.
Every file is then asked for by that commit.

The bytes come over `stream` instead of `hf_hub_download`, which knows one hub at a time, names its incomplete
files itself, checks sizes but no digest, and shows progress only to a tqdm class: ours are hashed as they
arrive, go on at the byte where another hub broke off, and lie on the models volume under a name that no
engine opens.
"""

from __future__ import annotations

import json
import re

import httpx2
from huggingface_hub import HfApi, get_session, hf_raise_for_status
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoSibling

from ..errors import ModelInitError, ModelNotFound, TransientError
from ..file_list import Digest, FileList, ListedFile
from ..selection import select_files
from ..settings import Settings
from .place import Place
from .refusals import (
    by_status,
    gated,
    is_web_page,
    no_list,
    no_such_model,
    one_line,
    untrusted,
    web_page,
)

LISTING_TIMEOUT_S = 12
# what servers say that know the model (they gave its commit) but have no API for trees
_NO_SUCH_API = (400, 401, 403, 404, 405, 410, 501)


def list_model(settings: Settings, place: Place) -> FileList:
    """Ask one hub, once, which files make up the model.

    Raises:
        TransientError: another try, or another hub, may help.
        ModelInitError: of the kind that fits.
    """
    revision = settings.revision or "main"
    try:
        return _list(settings, place, revision)
    except (ModelInitError, TransientError):
        raise
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise _translate(error, place, revision) from error
    except Exception as error:
        # why so broad: the library takes apart whatever came, as what a hub would send
        if isinstance(error, json.JSONDecodeError) and error.doc.lstrip().startswith("<"):
            raise web_page(place, 200) from error
        raise no_list(place, f"something else ({type(error).__name__}: {one_line(error)[:120]})") from error


def _list(settings: Settings, place: Place, revision: str) -> FileList:
    api = HfApi(endpoint=place.endpoint, token=place.token or False, library_name="qwen-appliance")
    info = api.model_info(place.model_id, revision=revision, files_metadata=True, timeout=LISTING_TIMEOUT_S)
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    if not info.sha or not siblings:
        raise no_list(place, "no commit, or no files")
    names, note = select_files(list(siblings), settings.model_format, settings.gguf_file)
    listed = {name: _listed_file(siblings[name]) for name in names}
    if None in listed.values():
        # servers that know no `?blobs=true` leave sizes and digests out
        tree = _tree(place, info.sha)
        listed = {name: tree.get(name) for name in names}
    for name, file in listed.items():
        if file is None:
            raise no_list(place, f"no size or digest of {name}")
    files = tuple(file for file in listed.values() if file)
    return FileList("hub", settings.model_format, info.sha, files, note=note)


def _listed_file(file: RepoSibling) -> ListedFile | None:
    sha256 = file.lfs.sha256 if file.lfs else None
    return _stated(file.rfilename, file.size, sha256, file.blob_id)


def _tree(place: Place, commit: str) -> dict[str, ListedFile | None]:
    """The files at the top of the repository by the API that lists folders: with sizes and digests always.

    Why not `list_repo_tree`, which asks the same: it has no timeout.
    """
    url: str | None = f"{place.endpoint}/api/models/{place.model_id}/tree/{commit}"
    secret = {"Authorization": f"Bearer {place.token}"} if place.token else {}
    headers = {"User-Agent": "qwen-appliance", **secret}
    files: dict[str, ListedFile | None] = {}
    while url:
        answer = get_session().get(url, headers=headers, timeout=LISTING_TIMEOUT_S)
        if answer.status_code in _NO_SUCH_API:
            return {}
        hf_raise_for_status(answer)
        for entry in answer.json():
            sha256 = (entry.get("lfs") or {}).get("oid")
            files[entry["path"]] = _stated(entry["path"], entry.get("size"), sha256, entry.get("oid"))
        following = answer.links.get("next", {}).get("url")
        url = following if following != url else None
    return files


def _stated(name: str, size: object, sha256: object, blob_id: object) -> ListedFile | None:
    """The file, if its size and a digest are stated as such."""
    if not isinstance(size, int) or size < 0:
        return None
    if isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256):
        return ListedFile(name, size, Digest("sha256", sha256))
    if sha256 is None and isinstance(blob_id, str) and re.fullmatch(r"[0-9a-f]{40}", blob_id):
        return ListedFile(name, size, Digest("git-sha1", blob_id))
    return None


def _translate(error: Exception, place: Place, revision: str) -> ModelInitError | TransientError:
    """What a failure of the client means for us."""
    model, where = place.model_id, place.endpoint
    if isinstance(error, HfHubHTTPError) and is_web_page(error.response.headers):
        # whatever the library takes it for: no hub answers so
        refusal = by_status(place, error.response.status_code, error.response.headers, "")
        return refusal if isinstance(refusal, TransientError) else web_page(place, error.response.status_code)
    if isinstance(error, GatedRepoError):
        return gated(place)
    if isinstance(error, RevisionNotFoundError):
        return ModelNotFound(
            f"no such revision: expected {revision!r} of {model} on {where}, found none; correct "
            "MODEL_REVISION"
        )
    if isinstance(error, (RepositoryNotFoundError, DisabledRepoError)):
        return no_such_model(place)
    if isinstance(error, HfHubHTTPError):
        code, path = error.response.status_code, error.response.url.path
        missing = f"no such model: expected {path} on {where}, found {code}; correct MODEL_ID"
        return by_status(place, code, error.response.headers, missing)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return untrusted(where, error)
    return TransientError(f"no answer ({type(error).__name__}: {one_line(error)})")
