"""OpenAI's package for node: answers, streams, calls and errors, as in Python."""

from __future__ import annotations

import json
import shutil
import subprocess

from harness.caller import MODEL
from harness.stack import REPO, Stack


def test_openais_package_for_node(stack: Stack) -> None:
    node = shutil.which("node", path=str(REPO / ".venv/test/bin")) or "node"
    script = REPO / "tests/javascript/openai_client.mjs"
    done = subprocess.run(
        [node, script, f"{stack.url}/v1"], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found["whole"], str)
    assert found["whole"] == found["streamed"]
    assert found["usage"] == found["wholeUsage"]
    assert found["reason"] == "tool_calls"
    assert found["call"]["name"] == "get_weather"
    assert json.loads(found["call"]["arguments"])["city"] in ("Paris", "Rome")
    assert found["models"] == [MODEL]
    assert found["refusal"] == {
        "kind": "BadRequestError",
        "status": 400,
        "code": "unsupported_parameter",
        "param": "logit_bias",
    }
