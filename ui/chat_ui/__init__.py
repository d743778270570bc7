"""The appliance's chat page: Gradio in the browser's face, the engine behind it.

Importing the package prepares the process for Gradio, which reads all of this while it is imported:
nothing may call home.
"""

import os

from chat_ui.gradio_internals import spare_matplotlib

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "True"
os.environ["GRADIO_RUN_HISTORY"] = "False"
os.environ["GRADIO_MCP_SERVER"] = "False"
os.environ["GRADIO_SSR_MODE"] = "False"
spare_matplotlib()
