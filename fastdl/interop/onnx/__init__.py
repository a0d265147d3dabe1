"""ONNX files, for other programs and from them."""
