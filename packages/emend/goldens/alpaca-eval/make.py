"""Random annotation files and what AlpacaEval's own code says of them.

    pip install --no-deps alpaca_eval==0.6.6
    pip install pandas scikit-learn patsy statsmodels huggingface_hub
    python make.py 40 > winrates.json          # or thousands, to compare while developing
    python make.py published > published.json  # counts and rates of its leaderboards whose judges give no fractions

Each case is a file as Python's json writes it (NaN included), with the row of `get_winrate` and of `evaluate`'s avg_length; those of
twenty records or more have the length-controlled figures beside it: AlpacaEval's `length_controlled_minimal`, and a binomial GLM
of the same formula without its penalty, with a robust covariance (statsmodels).
"""

import importlib.util
import json
import math
import random
import sys
import tempfile
import types
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm


def alpaca_eval_metrics():
    """AlpacaEval's metrics alone: the package imports the clients of every provider."""
    root = Path(importlib.util.find_spec("alpaca_eval").submodule_search_locations[0])
    for name in ("alpaca_eval", "alpaca_eval.metrics"):
        module = types.ModuleType(name)
        module.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module
    utils = types.ModuleType("alpaca_eval.utils")
    utils.convert_to_dataframe = pd.DataFrame
    utils.validate_alpacaeval_preference = lambda x, is_allow_nan=True: (1 <= x <= 2) or (is_allow_nan and np.isnan(x))
    constants = types.ModuleType("alpaca_eval.constants")
    constants.DATASETS_TOKEN = constants.DATASETS_FORCE_DOWNLOAD = constants.DEFAULT_CACHE_DIR = None
    kinds = types.ModuleType("alpaca_eval.types")
    kinds.AnyLoadableDF = object
    for module in (utils, constants, kinds):
        sys.modules[module.__name__] = module
        setattr(sys.modules["alpaca_eval"], module.__name__.split(".")[1], module)
    import alpaca_eval.metrics.glm_winrate as glm
    from alpaca_eval.metrics.winrate import get_winrate

    return get_winrate, glm


get_winrate, glm = alpaca_eval_metrics()

warnings.simplefilter("ignore")

WORDS = ["yes", "no", "Ωmega", "naïve", "🙂", "👩‍🚀", 'say "NaN"', "a\\b", "x\ny", "NaN", "-Infinity", "你好", ""]


def text(rng):
    return " ".join(rng.choice(WORDS) for _ in range(rng.choice([0, 1, 2, 5, 16])))


def preference(rng, style):
    if style == "discrete":
        return rng.choice([1, 2, 1, 2, 1, 2, 1.5])
    if style == "old":
        return rng.choice([1, 2, 1, 2, 0])
    if style == "weighted":
        return rng.choice([1 + round(rng.random(), 10)] * 20 + [1.5, 1.0, 2.0])
    if style == "failing":
        return rng.choice([1, 2, 1.5, 0, None, math.nan, -1, "absent"])
    return rng.choice([1 + rng.random(), 1, 2, 0, 1.5, None, math.nan])


def case(rng):
    style = rng.choice(["discrete", "old", "weighted", "failing", "mixed"])
    n = rng.choice([1, 2, 3, 7, 20, 60])
    records = []
    for i in range(n):
        record = dict(
            instruction=f"instruction {i}",
            output_1=text(rng),
            generator_1="reference",
            output_2=text(rng),
            generator_2="model",
            annotator="judge",
            preference=preference(rng, style),
        )
        if record["preference"] == "absent":
            del record["preference"]
        if style == "weighted":
            record["raw_completion"] = dict(text="m", logprobs=dict(content=[dict(token="m", logprob=-0.1)]))
        if rng.random() < 0.2:
            record["price_per_example"] = math.nan
        records.append(record)
    if not any(isinstance(r.get("preference"), (int, float)) and 0 <= r["preference"] <= 2 for r in records):
        records[0]["preference"] = 2
    row = {k: v.item() if hasattr(v, "item") else v for k, v in get_winrate(records).items()}
    row["avg_length"] = int(pd.DataFrame(records)["output_2"].str.len().mean())
    row = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
    lines = rng.random() < 0.3
    content = "\n".join(map(json.dumps, records)) if lines else json.dumps(records, indent=rng.choice([None, 2]), ensure_ascii=rng.random() < 0.5)
    made = dict(style=style, content=content, row=row)
    if n >= 20:
        made["length"] = length_controlled(records)
    return made


def length_controlled(records):
    df = pd.DataFrame(records)
    df["preference"] = df["preference"].where(df["preference"] != -1)
    df["index"] = range(len(df))
    with tempfile.TemporaryDirectory() as folder:
        difficulties = Path(folder) / "df_gamed.csv"
        df.assign(model="none", instruction_difficulty=0.0)[["model", "index", "instruction_difficulty"]].to_csv(difficulties, index=False)
        glm.hf_hub_download = lambda **_: str(difficulties)
        theirs = glm.get_length_controlled_winrate(df, glm_name="length_controlled_minimal", save_weights_dir=None, is_warn_extreme_changes=False)
    y = df["preference"].astype(float).replace({0.0: 1.5}) - 1
    delta = df["output_1"].str.len() - df["output_2"].str.len()
    x = np.column_stack([np.tanh(delta / delta.std()), np.ones(len(df))])
    kept = y.notna()
    fit = sm.GLM(y[kept].to_numpy(), x[kept], family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-12, maxiter=200)
    p = 1 / (1 + math.exp(-fit.params[1]))
    return dict(
        alpaca_eval_minimal=theirs["length_controlled_winrate"],
        win_rate=100 * p,
        standard_error=100 * p * (1 - p) * fit.bse[1],
        slope=fit.params[0],
    )


def published():
    """[leaderboard, model, n_wins, n_wins_base, n_draws, n_total, win_rate, standard_error] of every row."""
    root = Path(importlib.util.find_spec("alpaca_eval.metrics.winrate").origin).parents[1] / "leaderboards"
    columns = ["n_wins", "n_wins_base", "n_draws", "n_total", "win_rate", "standard_error"]
    for board in sorted(root.glob("data_AlpacaEval*/*.csv")):
        if not board.name.startswith("weighted"):
            for model, row in pd.read_csv(board, index_col=0)[columns].iterrows():
                yield [board.stem, model, *map(int, row.iloc[:4]), *row.iloc[4:].tolist()]


if __name__ == "__main__":
    rng = random.Random(5)
    made = list(published()) if sys.argv[1] == "published" else [case(rng) for _ in range(int(sys.argv[1]))]
    print("[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in made) + "\n]")
