"""Trained models as ONNX with all that their use takes, for programs without torch."""
