"""The CPU engine: llama.cpp behind an ASGI façade that speaks TGI 3.3.7's HTTP contract.

Two folders and the seam between them: `tgi` (what clients see), `llama` (what generates), `engine` (what the
first needs of the second). Reading order: `__main__` (start-up and shutdown), `tgi.app` (routes),
`tgi.generate`, `tgi.chat` and `tgi.completions` (bodies), `tgi.inference` (a request's life), `engine`,
`llama.engine`, `llama.decoding` (llama.cpp's frames to tokens), `llama.client` and `llama.native`.
"""
