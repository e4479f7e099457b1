"""Attribution and the graph of paths against logs that other programs have solved.

python bench/attribution_vs_reference.py ATTRIBUTION PROCESS

ATTRIBUTION holds PathData.csv of ChannelAttribution (path, total_conversions, total_conversion_value,
total_null) and ref/ with its heuristics and the chain of order 1 solved exactly; PROCESS holds
running-example.csv of pm4py and ref_dfg_running_example.csv. Both are under licences that do not let
them lie here. The position model (40 % to both ends) is worked out by this script, exactly.
JOURNEY_BENCH names a program already built from benches/journey.rs.
"""

import csv
import os
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction

attribution, process = sys.argv[1], sys.argv[2]


def ours(*arguments):
    program = os.environ.get("JOURNEY_BENCH")
    command = [program] if program else ["cargo", "bench", "--bench", "journey", "--"]
    done = subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def off(found, wanted):
    return abs(found - wanted) / abs(wanted) if wanted else abs(found)


lines = ours("attribution", f"{attribution}/PathData.csv")
for line in lines:
    if line.startswith("#"):
        print(line[2:])
table = csv.DictReader(line for line in lines if not line.startswith("#"))
found = {(row["model"], row["touchpoint"]): row for row in table}
failed = 0


def compare(what, pairs, allowed):
    global failed
    worst = max(pairs, default=0.0)
    failed += worst > allowed
    print(f"{what}: {len(pairs)} numbers, worst off by {worst:.3g} (allowed {allowed:g})")


solved = rows(f"{attribution}/ref/markov1_exact_absorbing.csv")
of = lambda model, name, column: float(found.get((model, name), {}).get(column) or 0.0)
for column, theirs in [("removal_effect", "removal_effect"), ("conversions", "conversions")]:
    pairs = [off(of("markov_1", row["channel"], column), float(row[theirs])) for row in solved]
    compare(f"markov_1 {column}", pairs, 1e-6)
for row in rows(f"{attribution}/ref/markov_order2_removal_effects.csv"):
    simulated = float(row["removal_effects_conversion"])
    exact = of("markov_2", row["channel_name"], "removal_effect")
    print(f"  markov_2 {row['channel_name']}: solved {exact:.6f}, simulated by the peer {simulated:.6f}")

heuristics = rows(f"{attribution}/ref/heuristic_first_last_linear.csv")
for model in ["first", "last", "linear"]:
    for column, theirs, allowed in [
        ("conversions", f"{model}_touch_conversions", 1e-12),
        # Money has four digits here, theirs more: ten thousand paths rounded, in units of money.
        ("value", f"{model}_touch_value", 0.01),
    ]:
        away = off if column == "conversions" else lambda found, wanted: abs(found - wanted)
        pairs = [away(of(model, r["channel_name"], column), float(r[theirs])) for r in heuristics]
        compare(f"{model} {column}", pairs, allowed)

position = defaultdict(Fraction)
for row in rows(f"{attribution}/PathData.csv"):
    touches, n = row["path"].split(" > "), int(float(row["total_conversions"]))
    k = len(touches)
    for at, name in enumerate(touches):
        is_end = at in (0, k - 1)
        if k <= 2:
            share = Fraction(1, k)
        else:
            share = Fraction(2, 5) if is_end else Fraction(1, 5) / (k - 2)
        position[name] += n * share
pairs = [off(of("position", name, "conversions"), float(given)) for name, given in position.items()]
compare("position conversions", pairs, 1e-12)

lines = ours("log", f"{process}/running-example.csv")
print(f"running example: {lines[0]}")
edges = {(row["from"], row["to"]): int(row["count"]) for row in csv.DictReader(lines[1:])}
wanted = rows(f"{process}/ref_dfg_running_example.csv")
same = edges == {(row["from"], row["to"]): int(row["count"]) for row in wanted}
print(f"running example: the graph of pm4py {'is ours' if same else 'is NOT ours'}")
failed += not same or not lines[0].startswith("6 variants, 16 edges")
sys.exit(failed)
