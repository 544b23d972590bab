"""`brainseg pack`: a trained model as a small file to give away, with a card of measured figures."""

from pathlib import Path

from brainseg.api.card import Scores, write_card
from brainseg.checkpoint import read_checkpoint
from brainseg.runs.packed_file import SUFFIX, write_packed


def pack(
    checkpoint: str | Path,
    name: str | Path,
    *,
    licence: str,
    purpose: str,
    data: str | None = None,
    scores: Scores | None = None,
    half: bool = True,
) -> Path:
    """Write NAME.safetensors (weights), NAME.json (all else that a prediction needs) and NAME.md (a card).

    Args:
        checkpoint: A trained model.
        name: Folder and name, without a suffix.
        licence: SPDX identifier of the licence of the weights, which follows from what they learnt from.
        purpose: What the model is for, in a sentence.
        data: What the data are called that it learnt from, where the name of their folder does not say it.
        scores: What the card is written from; it can be written again from others, by `write_card`.
        half: Store the weights in half precision.

    Returns:
        The file of the weights.

    Raises:
        UserError: The checkpoint or the scores cannot be used.
    """
    path = Path(f"{name}{SUFFIX}")
    stored = read_checkpoint(checkpoint)
    write_packed(stored, path, {"licence": licence, "purpose": purpose}, half=half, data=data)
    write_card(path, scores or Scores())
    return path
