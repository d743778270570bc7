"""The CPU engine: llama.cpp behind an ASGI façade that speaks TGI 3.3.7's HTTP contract.

Reading order: `__main__` (start-up and shutdown), `tgi.app` (routes), `tgi.generate`, `tgi.chat` and
`tgi.completions` (shapes), `tgi.inference` (a request's life), `llama.decoding` (llama.cpp's frames to TGI's
tokens), `llama.client` and `llama.native` (llama.cpp).
"""
