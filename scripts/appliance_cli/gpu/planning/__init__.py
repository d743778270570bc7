"""Will it fit? Memory of a model under TGI, worked out before anything is downloaded.

Pure functions, except model_files.py, which reads a folder. Bytes everywhere unless a name says otherwise;
GIB and MIB are binary, as `nvidia-smi` counts. In reading order: architecture.py (what the model is),
weights.py (what its parameters take in each mode), memory.py (how TGI divides a card), plan.py (both
together).
"""

GIB = 1 << 30
MIB = 1 << 20
