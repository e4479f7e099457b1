"""Memory of staging one large object: NDJSON.gz of 4 GiB unpacked, every record with an id of its own.

python bench/large_object.py [GIB] [FOLDER]

The object is made of events as stage_vs_duckdb.py names them, alike but for ids, people and times,
and removed at the end. cxmart stages it with its defaults and two threads; the peak is the most
resident memory the process ever held (VmHWM, what `/usr/bin/time -v` calls maximum resident set
size) when it says that all is staged. More than 1 GiB ends with an error.
"""

import gzip
import os
import sys

GIB = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
FOLDER = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else "/tmp/cxmart-large-object")
sys.argv = [sys.argv[0], "0", FOLDER]

import stage_vs_duckdb as stage  # noqa: E402: it reads the arguments

MIB_MAX = 1024
LINES = 10_000
PAGE = "https://shop.example.com/collections/spring/p/%04d?ref=newsletter&utm_medium=email&size=large"


def lines(first):
    """Some lines as one text; `first` is the number of the first."""
    line = (
        '{"source_id":"e%d","customer_source_id":"u%d","email":"person%d@example.com",'
        '"session_source_id":"s%d","name":"product_view","channel":"web",'
        '"touchpoint":"touchpoint %d","page_url":"' + PAGE + '","campaign":"campaign %d",'
        '"product":"sku-%d","amount":"12.50","currency":"EUR",'
        '"occurred_at":"2024-%02d-%02dT%02d:%02d:%02dZ"}\n'
    )

    def values(i):
        person = i * 7919 % 200_000
        day = (i // 86_400 % 12 + 1, i // 3_600 % 28 + 1, i // 600 % 24, i // 60 % 60, i % 60)
        return (i, person, person, i // 7, i % 20, i % 5_000, i % 40, i % 3_000, *day)

    return "".join(line % values(i) for i in range(first, first + LINES)).encode()


def main():
    os.makedirs(FOLDER, exist_ok=True)
    path, rows, unpacked = f"{FOLDER}/events.ndjson.gz", 0, 0
    try:
        with gzip.open(path, "wb", compresslevel=1) as file:
            while unpacked < GIB * (1 << 30):
                text = lines(rows)
                file.write(text)
                rows, unpacked = rows + LINES, unpacked + len(text)
        packed = os.path.getsize(path)
        wall, cpu, peak = stage.with_cxmart(path, rows)
    finally:
        os.remove(path)
    print(f"{rows} records, {unpacked >> 20} MiB unpacked, {packed >> 20} MiB packed")
    print(f"cxmart: {wall:.1f} s, {cpu:.1f} cpu-s, peak {peak:.0f} MiB")
    if peak > MIB_MAX:
        sys.exit(f"more than {MIB_MAX} MiB")


if __name__ == "__main__":
    main()
