"""Every format of raw exports, staged by cxmart and written as Parquet by DuckDB and Polars.

python bench/decode_vs_peers.py [ROWS] [FOLDER] [RUNS]

The events of stage_vs_duckdb.py, in the same way, as CSV, CSV.gz, TSV, NDJSON, NDJSON.gz, a JSON
array, Parquet, a zip of gzipped NDJSON, a CSV with three header rows, and (up to 200,000 of them)
an Excel workbook. Peers get each format in the best way that their readers offer; what they cannot
read at all they are given unpacked by Python first, within their time, and what has no way is `-`.
Rows go to typed Parquet with zstd everywhere; cxmart also finds duplicates, makes ids, local dates
and origins, balances its counts and hashes what it writes.

One line a format: wall seconds, the best of RUNS (3) in which each has its turn, and cxmart's wall and
CPU time as a share of the faster peer's.
"""

import gzip
import os
import shutil
import subprocess
import sys
import zipfile
from xml.sax.saxutils import escape

import stage_vs_duckdb as stage

ROWS, FOLDER, TYPES = stage.ROWS, stage.FOLDER, stage.TYPES
SHEET_ROWS = min(ROWS, 200_000)
RUNS = int(sys.argv[3]) if len(sys.argv) > 3 else 3
MEMBERS = 24
COLUMNS = list(TYPES)
SPEC = os.path.join(os.path.dirname(__file__), "../sql/stage/generic/events.toml")

#: Format and name of its file.
FORMATS = {
    "CSV": "events.csv",
    "CSV.gz": "events.csv.gz",
    "TSV": "events.tsv",
    "NDJSON": "events.ndjson",
    "NDJSON.gz": "events.ndjson.gz",
    "JSON array": "events.json",
    "Parquet": "events.parquet",
    "zip of gz": "events.zip",
    "CSV, 3 headers": "headers.csv",
    "XLSX": "events.xlsx",
}

UNZIP = """
import gzip, glob, os, shutil, zipfile
folder = {folder!r}
shutil.rmtree(folder, ignore_errors=True)
zipfile.ZipFile({path!r}).extractall(folder)
"""

DUCKDB = """
import duckdb
connection = duckdb.connect(config={{"threads": {threads}, "preserve_insertion_order": True}})
connection.execute("set enable_progress_bar = false")
connection.execute({query!r})
"""

POLARS = """
import glob, polars as pl
names = {columns!r}
texts = {{name: pl.String for name in names}}
frame = {read}
frame = frame.with_columns(
    pl.col("amount").cast(pl.Decimal(18, 4)),
    pl.col("occurred_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us"),
)
frame.write_parquet({target!r}, compression="zstd")
"""


def write():
    """All files; those that are there stay."""
    stage.write()
    import duckdb

    connection = duckdb.connect(config={"threads": stage.THREADS})
    source = f"(select * from '{FOLDER}/events.parquet')"
    plain = {
        "events.csv": "format csv, header",
        "events.tsv": "format csv, header, delimiter '\\t'",
        "events.ndjson": "format json",
        "events.json": "format json, array true",
    }
    for name, how in plain.items():
        if not os.path.exists(f"{FOLDER}/{name}"):
            connection.execute(f"copy {source} to '{FOLDER}/{name}' ({how})")
    if not os.path.exists(f"{FOLDER}/events.zip"):
        write_zip()
    if not os.path.exists(f"{FOLDER}/headers.csv"):
        with open(f"{FOLDER}/headers.csv", "wb") as target, open(f"{FOLDER}/events.csv", "rb") as csv:
            target.write(csv.readline())
            target.write((",".join(f"The {name}" for name in COLUMNS) + "\n").encode())
            cell = '"{{""ImportId"":""{0}"",""timeZone"":""Z""}}"'
            target.write((",".join(cell.format(name) for name in COLUMNS) + "\n").encode())
            shutil.copyfileobj(csv, target)
    if not os.path.exists(f"{FOLDER}/events.xlsx"):
        write_sheet(connection.execute(f"from {source} limit {SHEET_ROWS}").fetchall())


def write_zip():
    with (
        open(f"{FOLDER}/events.ndjson", "rb") as lines,
        zipfile.ZipFile(f"{FOLDER}/events.zip", "w", zipfile.ZIP_STORED) as archive,
    ):
        for hour in range(MEMBERS):
            count = ROWS // MEMBERS + (hour < ROWS % MEMBERS)
            part = b"".join(lines.readline() for _ in range(count))
            archive.writestr(f"1/events_2024-05-28_{hour}#0.json.gz", gzip.compress(part, 6))


def write_sheet(rows):
    """A workbook with one sheet of texts: as few parts as Excel itself would open."""
    letters = [chr(ord("A") + at) for at in range(len(COLUMNS))]
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    relation = '<?xml version="1.0"?><Relationships xmlns="{0}">{1}</Relationships>'
    one = '<Relationship Id="rId1" Type="{0}/{1}" Target="{2}"/>'
    parts = {
        "[Content_Types].xml": f'<?xml version="1.0"?><Types xmlns="{types}"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{sheet}.sheet.main+xml"/><Override'
        f' PartName="/xl/worksheets/sheet1.xml" ContentType="{sheet}.worksheet+xml"/></Types>',
        "_rels/.rels": relation.format(package, one.format(office, "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<?xml version="1.0"?><workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Events" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relation.format(
            package, one.format(office, "worksheet", "worksheets/sheet1.xml")
        ),
    }

    def row(number, cells):
        filled = zip(letters, cells)
        filled = (
            f'<c r="{letter}{number}" t="inlineStr"><is><t>{escape(str(cell))}</t></is></c>'
            for letter, cell in filled
            if cell is not None
        )
        return f'<row r="{number}">{"".join(filled)}</row>'

    with zipfile.ZipFile(f"{FOLDER}/events.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, text in parts.items():
            book.writestr(name, text)
        with book.open("xl/worksheets/sheet1.xml", "w") as target:
            target.write(f'<?xml version="1.0"?><worksheet xmlns="{main}"><sheetData>'.encode())
            target.write(row(1, COLUMNS).encode())
            for number, cells in enumerate(rows, 2):
                target.write(row(number, cells).encode())
            target.write(b"</sheetData></worksheet>")


def with_duckdb(form, path):
    texts = "{" + ", ".join(f"'{name}': 'varchar'" for name in COLUMNS) + "}"
    unzipped = f"{FOLDER}/unzipped"
    source = {
        "TSV": f"read_csv('{path}', header = true, delim = '\\t', columns = {texts})",
        "NDJSON": f"read_json('{path}', format = 'newline_delimited', columns = {texts})",
        "JSON array": f"read_json('{path}', format = 'array', columns = {texts})",
        "Parquet": f"'{path}'",
        "zip of gz": f"read_json('{unzipped}/1/*.gz', format = 'newline_delimited', columns = {texts})",
        "CSV, 3 headers": f"read_csv('{path}', header = false, skip = 3, columns = {texts})",
        "XLSX": None,
    }
    source["NDJSON.gz"] = source["NDJSON"]
    source = source.get(form, f"read_csv('{path}', header = true, columns = {texts})")
    if source is None:
        return None
    columns = ", ".join(f"cast({name} as {to}) as {name}" for name, to in TYPES.items())
    target = f"{FOLDER}/duckdb.parquet"
    query = f"copy (select {columns} from {source}) to '{target}' (format parquet, compression zstd)"
    program = DUCKDB.format(threads=stage.THREADS, query=query)
    return stage.timed([sys.executable, "-c", before(form, path) + program])


def with_polars(form, path):
    read = {
        "TSV": f"pl.read_csv({path!r}, separator='\\t', schema=texts)",
        "NDJSON": f"pl.read_ndjson({path!r}, schema=texts)",
        "JSON array": f"pl.read_json({path!r}, schema=texts)",
        "Parquet": f"pl.read_parquet({path!r})",
        "zip of gz": f"pl.concat([pl.read_ndjson(part, schema=texts) for part in"
        f" sorted(glob.glob('{FOLDER}/unzipped/1/*.gz'))])",
        "CSV, 3 headers": f"pl.read_csv({path!r}, has_header=False, skip_rows=3, schema=texts)",
        "XLSX": f"pl.read_excel({path!r}, infer_schema_length=0)",
    }
    read["NDJSON.gz"] = read["NDJSON"]
    read = read.get(form, f"pl.read_csv({path!r}, schema=texts)")
    if form == "XLSX" and subprocess.run([sys.executable, "-c", "import fastexcel"]).returncode:
        return None
    program = POLARS.format(columns=COLUMNS, read=read, target=f"{FOLDER}/polars.parquet")
    threads = {"POLARS_MAX_THREADS": str(stage.THREADS)}
    return stage.timed([sys.executable, "-c", before(form, path) + program], threads)


def before(form, path):
    return UNZIP.format(path=path, folder=f"{FOLDER}/unzipped") if form == "zip of gz" else ""


def with_cxmart(form, path):
    spec = None
    if form == "CSV, 3 headers":
        with open(SPEC, encoding="utf-8") as file:
            head, first, rest = file.read().partition("\n[[column]]")
        spec = f"{head}\n[format]\nheader_rows = 3\n{first}{rest}"
    return stage.with_cxmart(path, SHEET_ROWS if form == "XLSX" else ROWS, spec)


TURNS = [with_duckdb, with_polars, with_cxmart]


def best(runs):
    """The least of each figure; none where there is no way."""
    return None if None in runs else [min(figures) for figures in zip(*runs)]


def main():
    if stage.WRITE in os.environ:
        return write()
    subprocess.run([sys.executable, *sys.argv], env={**os.environ, stage.WRITE: "1"}, check=True)
    print(f"{ROWS} rows, {stage.THREADS} threads, best of {RUNS}, load before {os.getloadavg()[0]:.1f}")
    print("| format | MB | DuckDB s | Polars s | cxmart s | wall | CPU | peak MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for form, name in FORMATS.items():
        path = f"{FOLDER}/{name}"
        # Nothing of the file is read from the disk by the first of them alone.
        with open(path, "rb") as file:
            while file.read(1 << 24):
                pass
        turns = [[turn(form, path) for turn in TURNS] for _ in range(RUNS)]
        found = [best(runs) for runs in zip(*turns)]
        peers, ours = [one for one in found[:2] if one], found[2]
        faster = [min(one[i] for one in peers) if peers else None for i in (0, 1)]
        share = [f"{ours[i] / faster[i]:.2f}" if faster[i] else "-" for i in (0, 1)]
        wall = [f"{one[0]:.2f}" if one else "-" for one in found]
        peak = " / ".join(f"{one[2]:.0f}" if one else "-" for one in found)
        size = os.path.getsize(path) >> 20
        print(f"| {form} | {size} | {' | '.join(wall)} | {' | '.join(share)} | {peak} |", flush=True)


if __name__ == "__main__":
    main()
