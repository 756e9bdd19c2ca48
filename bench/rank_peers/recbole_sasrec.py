"""RecBole's SASRec, trained for some CPU-seconds with its own data pipeline, model and optimizer; one JSON line.

VENV/bin/python recbole_sasrec.py DATA.txt LOSS WIDTH SECONDS PEOPLE
"""

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from logging import ERROR, getLogger
from pathlib import Path

warnings.filterwarnings("ignore")
import numpy as np
import torch
from last_item import ndcg10, read

for name, kind in (("float", np.float64), ("int", np.int64), ("bool", np.bool_), ("object", object)):
    if not hasattr(np, name):
        setattr(np, name, kind)

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, init_seed

LENGTH = 50


def main() -> None:
    path, loss, width, seconds, people = (
        sys.argv[1],
        sys.argv[2],
        int(sys.argv[3]),
        float(sys.argv[4]),
        int(sys.argv[5]),
    )
    torch.set_num_threads(1)
    getLogger().setLevel(ERROR)
    histories = read(path)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "set").mkdir()
        rows = ["user_id:token\titem_id:token\ttimestamp:float"]
        # Without the target, so that RecBole's own last item is our last but one, which its training leaves out too.
        rows += [f"{person}\t{item}\t{at}" for person, items in histories.items() for at, item in enumerate(items[:-1])]
        (Path(folder) / "set" / "set.inter").write_text("\n".join(rows) + "\n")
        config = Config(
            model="SASRec",
            dataset="set",
            config_dict={
                "data_path": folder, "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
                "MAX_ITEM_LIST_LENGTH": LENGTH, "hidden_size": width, "inner_size": 4 * width, "loss_type": loss,
                "train_neg_sample_args": None if loss == "CE" else {"distribution": "uniform", "sample_num": 1},
                "eval_args": {"split": {"LS": "valid_only"}, "order": "TO", "mode": "full", "group_by": "user"},
                "use_gpu": False, "device": "cpu", "show_progress": False, "state": "ERROR", "seed": 0,
            },
        )  # fmt: skip
        init_seed(0, True)
        dataset = create_dataset(config)
        train_data, *_ = data_preparation(config, dataset)
    model = get_model("SASRec")(config, train_data._dataset)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["learning_rate"])
    began, events, epochs = time.process_time(), 0, 0
    while time.process_time() - began < seconds:
        epochs += 1
        model.train()
        for batch in train_data:
            optimizer.zero_grad()
            value = model.calculate_loss(batch)
            value.backward()
            optimizer.step()
            events += len(batch)
            if time.process_time() - began >= seconds:
                break
    cpu_s = time.process_time() - began
    token_of = dataset.field2id_token["item_id"]
    id_of = dataset.field2token_id["item_id"]

    def top_of(asked: Sequence[str]) -> list[list[str]]:
        model.eval()
        found = []
        for start in range(0, len(asked), 256):
            part = [
                [id_of[item] for item in histories[person][:-1] if item in id_of]
                for person in asked[start : start + 256]
            ]
            rows = torch.zeros(len(part), LENGTH, dtype=torch.int64)
            for row, items in zip(rows, part, strict=True):
                row[: len(items[-LENGTH:])] = torch.tensor(items[-LENGTH:])
            count = torch.tensor([len(items[-LENGTH:]) for items in part])
            with torch.no_grad():
                score = model.full_sort_predict({model.ITEM_SEQ: rows, model.ITEM_SEQ_LEN: count})
            score[:, 0] = -torch.inf
            for row, items in zip(score, part, strict=True):
                row[items] = -torch.inf
            found += [[str(token_of[item]) for item in row] for row in score.topk(10).indices.tolist()]
        return found

    figures = {"events": events, "cpu_s": cpu_s, "epochs": epochs, "ndcg10": ndcg10(histories, people, top_of)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
