"""Asks the appliance a real question, through the door, as people and programs do."""

import time
import warnings

import requests
from urllib3.exceptions import InsecureRequestWarning

from appliance_cli.base.errors import ApplianceFailed
from appliance_cli.config.appliance import Appliance
from appliance_cli.measure import visitor

QUESTION = "What is the capital of France?"
ANSWERED_S = 180.0
KNOWN_S = 10.0  # nginx reads a new key within a second


def require_answer(appliance: Appliance) -> str:
    """What the model says. Raises ApplianceFailed when page or answer do not come."""
    session = requests.Session()
    session.trust_env = False  # why: a proxy for the internet does not lead to this host's own addresses
    # why: the certificate may be self-signed and need not name this host's own address
    session.verify = False
    with warnings.catch_warnings(), visitor.key(appliance, None) as key, session:
        warnings.simplefilter("ignore", InsecureRequestWarning)
        if key:
            session.headers["Authorization"] = f"Bearer {key}"
        try:
            _require_page(session, appliance)
            return _answer(session, appliance)
        except (requests.RequestException, ValueError, LookupError, TypeError) as error:
            raise _refused("a question through the door to be answered", str(error)) from error


def _require_page(session: requests.Session, appliance: Appliance) -> None:
    page = session.get(
        f"{appliance.url}/", headers={"Accept": "text/html"}, timeout=30, allow_redirects=False
    )
    # why: who signs in elsewhere, or has not yet, is shown the way there
    if page.status_code not in (200, 302, 303, 401):
        raise _refused("the chat page, or where to sign in", f"status {page.status_code}")


def _answer(session: requests.Session, appliance: Appliance) -> str:
    body = {
        "model": "tgi",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": QUESTION},
        ],
        "max_tokens": 32,
        "temperature": 0,
    }
    known = time.monotonic() + KNOWN_S
    while True:
        answer = session.post(f"{appliance.url}/v1/chat/completions", json=body, timeout=ANSWERED_S)
        if answer.status_code != 401 or time.monotonic() > known:
            break
        time.sleep(0.5)
    if answer.status_code != 200:
        raise _refused("status 200 for a question", f"status {answer.status_code}: {answer.text[:300]}")
    said = str(answer.json()["choices"][0]["message"]["content"] or "").strip()
    if not said:
        raise _refused("an answer with words in it", "an empty one")
    return said


def _refused(expected: str, found: str) -> ApplianceFailed:
    return ApplianceFailed(
        "The appliance runs and does not answer",
        expected=expected,
        found=found,
        remedy="what its services say: ./scripts/appliance logs",
    )
