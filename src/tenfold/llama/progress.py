"""How far a run has come: steps, tokens and the loss curve, thinned as it grows."""

from typing import Self

from pydantic import ConfigDict, Field

from tenfold.core.frozen import Frozen

HISTORY_POINTS = 240
NORMS_KEPT = 32
"""Gradient norms of the last updates, by whose median a spike is told."""


class Record(Frozen):
    """What is written down of a run. A loss that is no number is kept as such; JSON's null would not be read back."""

    model_config = ConfigDict(ser_json_inf_nan="constants")


class LossSample(Record):
    """Mean loss of the steps up to and with ``step`` since the sample before."""

    step: int = Field(description="steps finished")
    tokens: int = Field(description="tokens trained on so far")
    loss: float = Field(description="nats per token")


class TrainProgress(Record):
    """What a run's state files say beside its vectors."""

    step: int = Field(0, description="steps finished")
    tokens: int = Field(0, description="tokens trained on")
    loss: float | None = Field(None, description="of the last finished step, nats per token")
    history: tuple[LossSample, ...] = ()
    stride: int = Field(1, description="steps per sample of the history")
    pending: tuple[float, ...] = Field((), description="losses of the steps after the last sample")
    norms: tuple[float, ...] = Field((), description="gradient norms of the last updates, before clipping")
    skipped: int = Field(0, description="steps whose update was left out")
    skipped_in_a_row: int = Field(0, description="of these, those since the last update")

    def after(self, loss: float, tokens: int, norm: float = 0.0, *, skipped: bool = False) -> Self:
        """Progress after one more step, whose gradient had this norm; ``skipped``: its update was left out.

        A sample is the mean over ``stride`` steps; past ``HISTORY_POINTS`` samples, neighbours merge and the stride
        doubles, so that the curve always spans the whole run.
        """
        step, total, pending = self.step + 1, self.tokens + tokens, (*self.pending, loss)
        history, stride = self.history, self.stride
        if len(pending) >= stride:
            history = (*history, LossSample(step=step, tokens=total, loss=sum(pending) / len(pending)))
            pending = ()
        if len(history) > HISTORY_POINTS:
            pairs = zip(history[0::2], history[1::2], strict=False)
            odd = history[-1:] if len(history) % 2 else ()
            pending = tuple(sample.loss for sample in odd for _ in range(stride))
            history = tuple(b.model_copy(update={"loss": (a.loss + b.loss) / 2}) for a, b in pairs)
            stride *= 2
        return self.model_copy(
            update={
                "step": step,
                "tokens": total,
                "loss": loss,
                "history": history,
                "stride": stride,
                "pending": pending,
                "norms": self.norms if skipped else (*self.norms, norm)[-NORMS_KEPT:],
                "skipped": self.skipped + skipped,
                "skipped_in_a_row": self.skipped_in_a_row + 1 if skipped else 0,
            }
        )
