"""The appliance's chat page: Gradio in the browser's face, the engine behind it.

Importing the package prepares the process for Gradio, which reads all of this while it is imported:
nothing may call home, and matplotlib (which we never plot with) must not be looked for at every update.
"""

import os
import sys

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "True"
os.environ["GRADIO_RUN_HISTORY"] = "False"
os.environ["GRADIO_MCP_SERVER"] = "False"
os.environ["GRADIO_SSR_MODE"] = "False"

# Gradio retries a failing `import matplotlib` twice for every streamed update (about a tenth of its CPU
# time); None makes the failure immediate.
sys.modules["matplotlib"] = None  # type: ignore[assignment]
