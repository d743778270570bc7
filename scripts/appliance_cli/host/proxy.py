"""The proxy that model-init is given: whether it can be one for a container, and the same one for this host.

Opens no connection.
"""

from collections.abc import Mapping

from requests.utils import should_bypass_proxies

from appliance_cli.config.values import Values
from model_files import proxy_address

_NAME = "HTTPS_PROXY"


def require_usable(values: Values) -> None:
    """Raise BadSetting for one that model-init will refuse: before images are built, not after."""
    asks_nobody = values.text("OFFLINE") == "1" or values.text("MODEL_SOURCE") == "folder"
    proxy = values.given(_NAME)
    if not proxy or asks_nobody or values.given("NO_PROXY") == "*":
        return
    fault = proxy_address.fault(proxy)
    if fault:
        remedy = f"{fault.remedy}; the shell's {_NAME} goes before the one of .env"
        raise values.refused(_NAME, fault.expected, found=fault.found, remedy=remedy)


def on_this_host(url: str, values: Mapping[str, str]) -> dict[str, str]:
    """The ``proxies`` with which `requests` asks a hub from here as model-init will from its container."""
    proxy, around = values.get(_NAME), values.get("NO_PROXY") or None
    if not proxy:
        return {}
    # why: a bare no_proxy keeps requests from taking the shell's proxy instead
    if should_bypass_proxies(url, around):
        return {"no_proxy": around or "*"}
    return {"https": proxy_address.on_the_host(proxy)}
