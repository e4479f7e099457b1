"""The same sizes as benches/clv.rs, asked of lifetimes and lifelines.

python bench/kernels_vs_python.py [CUSTOMERS] [ROWS]; needs numpy, pandas, lifelines, lifetimes.
The data are drawn alike but not the same: only sizes and seconds are compared.
"""

import sys
import time

import numpy as np

customers = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
dice = np.random.default_rng(7)


def kaplan_meier():
    from lifelines import KaplanMeierFitter

    lives = np.floor(dice.exponential(500, rows)).astype("int64")
    events = dice.random(rows) < 0.7
    started = time.perf_counter()
    fitter = KaplanMeierFitter().fit(lives, events)
    print(f"lifelines: {rows} rows, {time.perf_counter() - started:.2f} s, median {fitter.median_survival_time_}")


def bg_nbd():
    from lifetimes import BetaGeoFitter
    from lifetimes.generate_data import beta_geometric_nbd_model

    age = (100 + np.arange(customers) % 600).astype(float)
    data = beta_geometric_nbd_model(age / 7, 0.5, 4.3, 1.0, 2.85, size=customers)
    data["recency"] = np.ceil(data["recency"] * 7) / 7
    started = time.perf_counter()
    fitter = BetaGeoFitter()
    grouped = data.groupby(["frequency", "recency", "T"]).size().reset_index(name="weights")
    fitter.fit(grouped["frequency"], grouped["recency"], grouped["T"], weights=grouped["weights"])
    print(f"lifetimes: {customers} customers, {time.perf_counter() - started:.2f} s, {dict(fitter.params_)}")


kaplan_meier()
bg_nbd()
