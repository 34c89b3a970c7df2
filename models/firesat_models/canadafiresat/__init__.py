"""The published models of CanadaFireSat, rebuilt.

Porta et al. (2026), ISPRS J. Photogramm. Remote Sens. 239: 555. Layer for layer, so that the sizes
are the published ones; ``docs/canadafiresat.md`` says where a forecast is made otherwise.
"""

from firesat_models.canadafiresat.baseline import SmallConvLSTM
from firesat_models.canadafiresat.environment import ResNetEnvironment, ViTEnvironment
from firesat_models.canadafiresat.resnet import ResNetConvLSTM
from firesat_models.canadafiresat.vit import ViTConvLSTM

__all__ = [
    "ResNetConvLSTM",
    "ResNetEnvironment",
    "SmallConvLSTM",
    "ViTConvLSTM",
    "ViTEnvironment",
]
