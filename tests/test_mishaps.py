"""What is said when a training cannot go on."""

import torch

from firesat.mishaps import out_of_memory


def test_a_device_without_room_is_told_the_batch_that_is_half_as_large() -> None:
    words = out_of_memory(torch.OutOfMemoryError("CUDA out of memory.\nTried 2 GiB"), 16)
    assert "batches of 16 chips do not fit" in words
    assert "--data.batch_size 8" in words
    assert "\n" not in words
    assert "smaller chips" in out_of_memory(torch.OutOfMemoryError("full"), 1)
