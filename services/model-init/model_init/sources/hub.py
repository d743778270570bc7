"""A model's file list from the Hub or a mirror of it, by huggingface_hub: its call, its errors, its parsing.

`HfApi.model_info` with file metadata gives commit, names, sizes and digests in one answer, so that nothing
can change between them (`list_repo_tree` would have to be told the commit first). Every file is then asked
for by that commit.

The bytes come over `stream` instead of `hf_hub_download`, which knows one hub at a time, names its incomplete
files itself, checks sizes but no digest, and shows progress only to a tqdm class: ours are hashed as they
arrive, go on at the byte where another hub broke off, and lie on the models volume under a name that no
engine opens.
"""

from __future__ import annotations

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoSibling

from ..errors import InvalidModel, ModelInitError, ModelNotFound, TransientError
from ..file_list import Digest, FileList, ListedFile
from ..selection import select_files
from ..settings import Settings
from .place import Place
from .refusals import by_status, gated, one_line, untrusted

LISTING_TIMEOUT_S = 12


def list_model(settings: Settings, place: Place) -> FileList:
    """Ask one hub, once, which files make up the model.

    Raises:
        TransientError: another try, or another hub, may help.
        ModelInitError: of the kind that fits.
    """
    api = HfApi(endpoint=place.endpoint, token=place.token or False, library_name="qwen-appliance")
    revision = settings.revision or "main"
    try:
        info = api.model_info(
            place.model_id, revision=revision, files_metadata=True, timeout=LISTING_TIMEOUT_S
        )
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise _translate(error, place, revision) from error
    if not info.sha or not info.siblings:
        raise InvalidModel(
            f"expected a commit and a list of files from {place.endpoint}, found none; use another "
            "HF_ENDPOINT"
        )
    listed = {sibling.rfilename: sibling for sibling in info.siblings}
    names = select_files(list(listed), settings.model_format, settings.gguf_file)
    files = tuple(_listed_file(listed[name]) for name in names)
    return FileList("hub", settings.model_format, info.sha, files)


def _translate(error: Exception, place: Place, revision: str) -> ModelInitError | TransientError:
    """What a failure of the client means for us."""
    model, where = place.model_id, place.endpoint
    if isinstance(error, GatedRepoError):
        return gated(place)
    if isinstance(error, RevisionNotFoundError):
        return ModelNotFound(
            f"no such revision: expected {revision!r} of {model} on {where}, found none; correct "
            "MODEL_REVISION"
        )
    if isinstance(error, (RepositoryNotFoundError, DisabledRepoError)):
        return ModelNotFound(
            f"no such model: expected {model} on {where}, found none (or a private one); correct "
            "MODEL_ID, or give a token that may read it (HF_TOKEN_FILE)"
        )
    if isinstance(error, HfHubHTTPError):
        code, path = error.response.status_code, error.response.url.path
        missing = f"no such model: expected {path} on {where}, found {code}; correct MODEL_ID"
        return by_status(place, code, error.response.headers, missing)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return untrusted(where, error)
    return TransientError(f"no answer ({type(error).__name__}: {one_line(error)})")


def _listed_file(sibling: RepoSibling) -> ListedFile:
    if sibling.size is None:
        raise InvalidModel(
            f"expected the size of {sibling.rfilename} from the hub, found none; use another HF_ENDPOINT"
        )
    if sibling.lfs is not None:
        return ListedFile(sibling.rfilename, sibling.size, Digest("sha256", sibling.lfs.sha256))
    if sibling.blob_id is None:
        raise InvalidModel(
            f"expected the digest of {sibling.rfilename} from the hub, found none; use another HF_ENDPOINT"
        )
    return ListedFile(sibling.rfilename, sibling.size, Digest("git-sha1", sibling.blob_id))
