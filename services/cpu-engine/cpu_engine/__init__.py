"""The CPU engine: llama.cpp behind an ASGI façade that speaks TGI 3.3.7's HTTP contract.

Reading order: `__main__` (start-up and shutdown), `app` (routes), `generate`, `chat` and `completions`
(shapes), `engine` (a request's life), `decoding` (llama.cpp's frames to TGI's tokens), `llama_client` and
`native` (llama.cpp).
"""
