"""RecTools' SASRec, trained for some CPU-seconds by its own trainer; one JSON line.

VENV/bin/python rectools_sasrec.py DATA.txt LOSS WIDTH SECONDS PEOPLE
"""

import json
import logging
import sys
import time
import warnings
from collections.abc import Sequence

warnings.filterwarnings("ignore")
import pandas as pd
import torch
from last_item import ndcg10, read
from pytorch_lightning import Callback, LightningModule, Trainer
from rectools.dataset import Dataset
from rectools.models import SASRecModel

LENGTH = 50
NEGATIVES = {"sampled_softmax": 256, "gBCE": 256}
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Budget(Callback):
    """Counts targets, and stops the trainer when its CPU-seconds are used."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.events, self.cpu_s, self.epochs, self.began = seconds, 0, 0.0, 0, 0.0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.began = time.process_time()

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.epochs += 1

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: dict, index: int
    ) -> None:
        self.events += int((batch["y"] != 0).sum())
        self.cpu_s = time.process_time() - self.began
        trainer.should_stop = self.cpu_s >= self.seconds


def main() -> None:
    path, loss, width, seconds, people = (
        sys.argv[1],
        sys.argv[2],
        int(sys.argv[3]),
        float(sys.argv[4]),
        int(sys.argv[5]),
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    histories = read(path)
    rows = [(person, item, at) for person, items in histories.items() for at, item in enumerate(items[:-1])]
    known = pd.DataFrame(rows, columns=["user_id", "item_id", "datetime"])
    known["datetime"], known["weight"] = pd.to_datetime(known["datetime"], unit="s"), 1.0
    last = known.groupby("user_id", sort=False).tail(1).index
    budget = Budget(seconds)

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=10_000, min_epochs=0, accelerator="cpu", callbacks=[budget], logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip

    model = SASRecModel(
        n_blocks=2, n_heads=2, n_factors=width, session_max_len=LENGTH, loss=loss, n_negatives=NEGATIVES.get(loss, 1),
        batch_size=128, epochs=10_000, get_trainer_func=trainer, recommend_n_threads=1,
    )  # fmt: skip
    model.fit(Dataset.construct(known.drop(index=last)))
    # The model trains with a copy of the trainer that it was given.
    budget = next(each for each in model.fit_trainer.callbacks if isinstance(each, Budget))

    def top_of(asked: Sequence[str]) -> list[list[str]]:
        found = model.recommend(list(asked), Dataset.construct(known), k=10, filter_viewed=True)
        listed = found.sort_values(["user_id", "rank"]).groupby("user_id")["item_id"].apply(list).to_dict()
        return [[str(item) for item in listed.get(person, [])] for person in asked]

    figures = {
        "events": budget.events,
        "cpu_s": budget.cpu_s,
        "epochs": budget.epochs,
        "ndcg10": ndcg10(histories, people, top_of),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
