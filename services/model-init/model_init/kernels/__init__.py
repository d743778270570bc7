"""The fast 4-bit kernels: files of a newer bitsandbytes in the models volume, which TGI finds by PYTHONPATH.

Owns their folder, from the package index or an import to the proof at each start. Nothing in here may keep a
model from being served: without them TGI takes the older ones of its image, and that is said.
"""
