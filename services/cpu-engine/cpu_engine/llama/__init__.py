"""llama.cpp: its model file, its server as a child process, its HTTP API. Knows nothing of TGI."""
