"""Kaplan-Meier and BG/NBD at size: lifelines and lifetimes against benches/clv.rs, in one run.

python bench/kernels_vs_python.py [CUSTOMERS] [ROWS]; needs numpy, pandas, lifelines, lifetimes.
The data are drawn alike but not the same: only sizes and seconds are compared. Ours include the
grouping of rows. CLV_BENCH names a program already built.
"""

import os
import re
import subprocess
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
    wall, cpu = time.perf_counter(), time.process_time()
    fitter = KaplanMeierFitter().fit(lives, events)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"lifelines: {rows} rows, {wall:.2f} s, {cpu:.2f} cpu-s, median {fitter.median_survival_time_}")
    return wall, cpu


def bg_nbd():
    from lifetimes import BetaGeoFitter
    from lifetimes.generate_data import beta_geometric_nbd_model

    age = (100 + np.arange(customers) % 600).astype(float)
    data = beta_geometric_nbd_model(age / 7, 0.5, 4.3, 1.0, 2.85, size=customers)
    data["recency"] = np.ceil(data["recency"] * 7) / 7
    wall, cpu = time.perf_counter(), time.process_time()
    fitter = BetaGeoFitter()
    grouped = data.groupby(["frequency", "recency", "T"]).size().reset_index(name="weights")
    fitter.fit(grouped["frequency"], grouped["recency"], grouped["T"], weights=grouped["weights"])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"lifetimes: {customers} customers, {wall:.2f} s, {cpu:.2f} cpu-s, {dict(fitter.params_)}")
    return wall, cpu


def ours():
    program = os.environ.get("CLV_BENCH")
    command = [program] if program else ["cargo", "bench", "--bench", "clv", "--"]
    done = subprocess.run(
        [*command, str(customers), str(rows)], check=True, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout, end="")
    found = re.findall(r"^(BG/NBD|Kaplan-Meier).*?: ([0-9.]+) s, ([0-9.]+) cpu-s", done.stdout, re.M)
    return {name: (float(wall), float(cpu)) for name, wall, cpu in found}


peers = {"Kaplan-Meier": kaplan_meier(), "BG/NBD": bg_nbd()}
for name, (wall, cpu) in ours().items():
    theirs = peers[name]
    print(f"{name}: {theirs[0] / wall:.1f} times as fast, {theirs[1] / cpu:.1f} times by cpu")
