"""The networks: plain modules from a batch to logits, guests of firesat."""

from firesat_models.conv_lstm import TemporalConvLSTM
from firesat_models.temporal_cnn import TemporalCNN
from firesat_models.temporal_vit import TemporalViT

__all__ = ["TemporalCNN", "TemporalConvLSTM", "TemporalViT"]
