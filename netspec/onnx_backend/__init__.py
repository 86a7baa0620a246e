"""Graph and weights to an ONNX file, by a lowering of our own; and such files back in."""
