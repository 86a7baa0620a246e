"""The ONNX backend: Graph and weights to a file by its own lowering, and a file read back with suspicion."""
