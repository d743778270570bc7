"""Whether the proxy that model-init will be given can be one for a container. Opens no connection."""

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
