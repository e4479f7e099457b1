"""Matching without identifiers against Splink 5: the same file, the same blocking rules, one run.

python bench/match_vs_splink.py [RECORDS] [FOLDER]

Writes invented people (of five records four are people of their own and one is a dirty copy: typos,
short first names, moved, first and last name swapped, fields missing), lets Splink on DuckDB and
`cargo bench --bench matching` find the copies one after the other on two threads, and compares what
both found with the truth. Each is a process of its own: time is wall time from start to end, memory
the greatest resident set. Needs `splink==5.0.0 duckdb numpy`.
"""

import csv
import os
import resource
import subprocess
import sys
import time

THREADS = 2
SEED = 4711
THRESHOLD = 0.8
FIELDS = ["first_name", "last_name", "birth_date", "street", "city", "postal_code", "email", "phone"]
KINDS = (
    "first_name:first_name;last_name:last_name;birth_date:date;street:text;city:text<postal_code;"
    "postal_code:postcode;email:email;phone:id"
)
RULES = [
    ["email"],
    ["phone"],
    ["last_name", "birth_date"],
    ["first_name", "birth_date"],
    ["first_name", "last_name", "postal_code"],
]
SHORT = {
    "william": "bill", "robert": "bob", "richard": "dick", "james": "jim", "john": "jack",
    "thomas": "tom", "michael": "mike", "david": "dave", "daniel": "dan", "joseph": "joe",
    "charles": "charlie", "edward": "ted", "andrew": "andy", "anthony": "tony", "benjamin": "ben",
    "christopher": "chris", "matthew": "matt", "nicholas": "nick", "alexander": "alex",
    "samuel": "sam", "stephen": "steve", "peter": "pete", "patrick": "pat", "gregory": "greg",
    "frederick": "fred", "henry": "harry", "lawrence": "larry", "leonard": "leo",
    "raymond": "ray", "ronald": "ron", "donald": "don", "kenneth": "ken", "timothy": "tim",
    "philip": "phil", "jonathan": "jonny", "zachary": "zach", "joshua": "josh", "jacob": "jake",
    "elizabeth": "liz", "margaret": "maggie", "katherine": "kate", "jennifer": "jenny",
    "jessica": "jess", "rebecca": "becky", "susan": "sue", "patricia": "trish",
    "victoria": "vicky", "barbara": "barb", "deborah": "debbie", "christine": "tina",
    "amanda": "mandy", "abigail": "abby", "eleanor": "ellie", "isabella": "bella",
    "jacqueline": "jackie", "josephine": "josie", "kimberly": "kim", "olivia": "liv",
    "sarah": "sally", "stephanie": "steph", "teresa": "terry", "valerie": "val",
}


def words(chance, count, parts, least, most):
    """Invented words, each once."""
    made = {}
    while len(made) < count:
        made["".join(chance.choice(parts) for _ in range(chance.randint(least, most)))] = None
    return list(made)


def make(path, records):
    import random
    from itertools import accumulate

    chance = random.Random(SEED)
    soft = [c + v for c in "bdfghjklmnprstvw" for v in "aeiou"] + ["an", "er", "ol", "in", "ist"]
    firsts = list(SHORT) + words(chance, 1_500, soft, 2, 3)
    lasts = words(chance, 30_000, soft + ["son", "man", "berg", "sen", "ley", "ton"], 2, 4)
    streets = [word + end for word in words(chance, 3_000, soft, 2, 3) for end in (" street", " road")]
    cities = words(chance, 600, soft, 3, 4)
    zipf = lambda count: list(accumulate(1.0 / (rank + 10) for rank in range(count)))
    weights = {len(table): zipf(len(table)) for table in (firsts, lasts, streets, cities)}
    draw = lambda table: chance.choices(table, cum_weights=weights[len(table)])[0]
    hosts = ["mail.example", "post.example", "inbox.example", "web.example", "home.example"]

    def address():
        at = chance.choices(range(len(cities)), cum_weights=weights[len(cities)])[0]
        postcode = f"{1000 + at * 15 + chance.randrange(15)}"
        return f"{draw(streets)} {chance.randint(1, 220)}", cities[at], postcode

    def person():
        first, last = draw(firsts), draw(lasts)
        day = f"{chance.randint(1935, 2006)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        email = f"{first}.{last}{chance.randint(1, 9999)}@{chance.choice(hosts)}"
        phone = f"{chance.randint(20_000_000, 99_999_999)}"
        row = [first, last, day, *address(), email, phone]
        for at, share in ((2, 0.05), (6, 0.10), (7, 0.20), (3, 0.05)):
            if chance.random() < share:
                row[at] = ""
        return row

    def typo(text):
        if len(text) < 3:
            return text
        at = chance.randrange(len(text) - 1)
        letters = "0123456789" if text[at].isdigit() else "abcdefghijklmnopqrstuvwxyz"
        return chance.choice([
            text[:at] + text[at + 1 :],
            text[:at] + chance.choice(letters) + text[at + 1 :],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            text[:at] + chance.choice(letters) + text[at:],
        ])

    def dirty(row):
        row = list(row)
        for _ in range(chance.randint(1, 3)):
            kind = chance.random()
            if kind < 0.35:
                at = chance.choice([0, 1, 1, 3, 4, 6, 7])
                row[at] = typo(row[at])
            elif kind < 0.45:
                row[0] = SHORT.get(row[0], row[0])
            elif kind < 0.60:
                row[3:6] = address()
            elif kind < 0.65:
                row[0], row[1] = row[1], row[0]
            elif kind < 0.72 and row[2]:
                year, month, day = row[2].split("-")
                swap = int(day) <= 12 and chance.random() < 0.4
                row[2] = f"{year}-{day}-{month}" if swap else f"{year}-{month}-{chance.randint(1, 28):02}"
            elif kind < 0.80:
                row[6] = f"{row[0]}{chance.randint(1, 99999)}@{chance.choice(hosts)}"
            else:
                row[chance.choice([0, 2, 3, 5, 6, 7])] = ""
        return row

    entities = records * 4 // 5
    people = [person() for _ in range(entities)]
    rows = [(entity, row) for entity, row in enumerate(people)]
    rows += [(entity, dirty(people[entity])) for entity in chance.sample(range(entities), records - entities)]
    chance.shuffle(rows)
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["unique_id", *FIELDS, "entity"])
        for number, (entity, row) in enumerate(rows):
            out.writerow([f"r{number}", *row, entity])


def splink(path, target):
    import duckdb
    import splink.comparison_library as compare
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    connection = duckdb.connect()
    connection.execute(f"set threads={THREADS}")
    connection.execute(
        f"create table people as select * exclude (entity) from read_csv('{path}', all_varchar=true, nullstr='')"
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            compare.NameComparison("first_name").configure(term_frequency_adjustments=True),
            compare.NameComparison("last_name").configure(term_frequency_adjustments=True),
            compare.DateOfBirthComparison("birth_date", input_is_string=True),
            compare.JaroWinklerAtThresholds("street", [0.92, 0.8]),
            compare.ExactMatch("city").configure(term_frequency_adjustments=True),
            compare.LevenshteinAtThresholds("postal_code", 1),
            compare.EmailComparison("email"),
            compare.DamerauLevenshteinAtThresholds("phone", [1, 2]),
        ],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in RULES],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )
    backend = DuckDBAPI(connection)
    linker = Linker(backend.register("people"), settings)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("email"), block_on("first_name", "last_name", "birth_date")], recall=0.8
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000, seed=1)
    for rule in (["last_name", "birth_date"], ["email"], ["first_name", "birth_date"]):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
    pairs = linker.inference.predict(threshold_match_probability=THRESHOLD)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, THRESHOLD)
    connection.execute(
        f"copy (select unique_id_l, unique_id_r from {pairs.physical_name}) to '{target}' (header false)"
    )
    connection.execute(f"create table done as select count(*) from {clusters.physical_name}")


def child(arguments):
    """Wall seconds and greatest resident MB of a process."""
    started = time.monotonic()
    pid = os.posix_spawnp(arguments[0], arguments, os.environ)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, arguments
    return time.monotonic() - started, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def judged(entity, path):
    found = hit = 0
    with open(path, encoding="utf-8") as file:
        for left, right in csv.reader(file):
            found += 1
            hit += entity[left] == entity[right]
    copies = len(entity) - len(set(entity.values()))
    return hit / found, hit / copies


def ours():
    """The bench's own binary, built before any clock starts."""
    if "CXMART_MATCHING" in os.environ:
        return os.environ["CXMART_MATCHING"]
    text = subprocess.run(
        ["cargo", "bench", "--bench", "matching", "--no-run", "--message-format=json"],
        check=True, capture_output=True, text=True,
    ).stdout
    import json

    built = [json.loads(line) for line in text.splitlines()]
    return next(b["executable"] for b in reversed(built) if b.get("executable"))


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    folder = sys.argv[2] if len(sys.argv) > 2 else "/tmp/cxmart-match-bench"
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/people-{records}.csv"
    if not os.path.exists(path):
        make(path, records)
    with open(path, encoding="utf-8") as file:
        entity = {row["unique_id"]: row["entity"] for row in csv.DictReader(file)}
    binary = ours()
    rules = ";".join("+".join(rule) for rule in RULES)
    mine, theirs = f"{folder}/ours.csv", f"{folder}/splink.csv"
    runs = [
        ("splink", theirs, [sys.executable, __file__, "--splink", path, theirs]),
        ("cxmart", mine, [binary, path, mine, KINDS, rules, str(THREADS), str(THRESHOLD)]),
    ]
    for name, target, arguments in runs:
        seconds, megabytes, cpu = child(arguments)
        precision, recall = judged(entity, target)
        print(
            f"{name:8} {seconds:6.1f} s wall, {cpu:6.1f} s CPU, {megabytes:6.0f} MB, "
            f"edge precision {precision:.4f}, recall {recall:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[1] == "--splink":
        splink(sys.argv[2], sys.argv[3])
    else:
        main()
