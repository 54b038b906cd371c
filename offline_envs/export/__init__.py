"""Fitted models and the policies of runs as ONNX files, for programs without PyTorch or this package."""

from offline_envs.export.models import export_model
from offline_envs.export.policies import export_policy

__all__ = ["export_model", "export_policy"]
