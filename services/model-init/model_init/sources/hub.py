"""A model's file list from the Hugging Face Hub or a mirror of it, through huggingface_hub's
`HfApi.model_info`.

The revision is resolved to a commit once and every file is asked for by that commit. Bytes come over
`stream`, not through `hf_hub_download`: that one names its incomplete files itself, checks sizes but no
digest, and shows progress only to a tqdm class, while we hash bytes as they arrive and resume by our own
rules.
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

from ..errors import GatedModel, InvalidModel, ModelInitError, ModelNotFound, TransientError
from ..file_list import Digest, FileList, ListedFile
from ..selection import select_files
from ..settings import Settings
from .stream import no_network, one_line

LISTING_TIMEOUT_S = 15
_TRANSIENT_CODES = (408, 425, 429, 500, 502, 503, 504)


def list_model(settings: Settings, endpoint: str, token: str | None) -> FileList:
    """Ask one hub, once, which files make up the model.

    Raises:
        TransientError: another try, or another hub, may help.
        ModelInitError: of the kind that fits.
    """
    api = HfApi(endpoint=endpoint, token=token or False, library_name="qwen-appliance")
    try:
        info = api.model_info(
            settings.model_id,
            revision=settings.revision or "main",
            files_metadata=True,
            timeout=LISTING_TIMEOUT_S,
        )
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise _translate(error, settings, endpoint, token) from error
    if not info.sha or not info.siblings:
        raise InvalidModel(
            f"expected a commit and a list of files from {endpoint}, found none; use another HF_ENDPOINT"
        )
    listed = {sibling.rfilename: sibling for sibling in info.siblings}
    names = select_files(list(listed), settings.model_format, settings.gguf_file)
    files = tuple(_listed_file(listed[name]) for name in names)
    return FileList("hub", settings.model_format, info.sha, files)


def _translate(
    error: Exception, settings: Settings, where: str, token: str | None
) -> ModelInitError | TransientError:
    """What a failure of the client means for us."""
    model, revision = settings.model_id, settings.revision or "main"
    if isinstance(error, GatedRepoError):
        found = "the token's account has no access" if token else "no token"
        return GatedModel(
            f"gated model: expected access to {model}, found {found}; accept the licence at "
            f"{where}/{model} and give a read token of that account (HF_TOKEN_FILE)"
        )
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
        return _translate_status(error, where)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return no_network(
            where, f"an untrusted certificate ({error}); if a proxy inspects TLS, set CA_BUNDLE"
        )
    return TransientError(f"no answer ({type(error).__name__}: {one_line(error)})")


def _translate_status(error: HfHubHTTPError, where: str) -> ModelInitError | TransientError:
    code = error.response.status_code
    if code in _TRANSIENT_CODES:
        after = error.response.headers.get("Retry-After", "")
        return TransientError(f"the answer {code}", float(after) if after.isdigit() else None)
    if code in (401, 403):
        return GatedModel(
            f"not authorised: expected {where} to accept our request, found {code}; check that the token "
            "(HF_TOKEN_FILE) is valid and may read this model"
        )
    if code in (404, 410):
        return ModelNotFound(
            f"no such model: expected {error.request.url.path} on {where}, found {code}; correct MODEL_ID"
        )
    return no_network(where, f"the answer {code}")


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
