"""Which images an appliance is made of, as Compose reads its files, and under which ids Docker has them."""

from docker import DockerClient

from appliance_cli.base.errors import StepFailed
from appliance_cli.compose import commands, runner
from appliance_cli.compose.client import has_image
from appliance_cli.config.appliance import Appliance

OURS = "qwen-appliance/"
"""What the names of the images begin with that are made here."""


def of_services(appliance: Appliance) -> list[str]:
    """The names of what Compose would start. Raises StepFailed where it cannot read its files."""
    answer = runner.ask(appliance, commands.images(appliance), timeout=60)
    if answer.code != 0:
        raise StepFailed(
            "Compose does not say which images there are",
            expected="its files to be read",
            found=answer.err.strip(),
            remedy="put right what it says, then run this again",
        )
    return answer.out.split()


def id_of(client: DockerClient, name: str) -> str:
    """The id under which Docker has an image, "" where it has none of that name."""
    return str(client.images.get(name).id) if has_image(client, name) else ""
