"""Reads a folder of Parquet files with pyarrow and with DuckDB, and prints what each sees as JSON."""

import collections
import json
import pathlib
import sys

import duckdb
import pyarrow.parquet

folder = pathlib.Path(sys.argv[1])
files = sorted(folder.iterdir())


def arrow():
    rows = collections.Counter()
    values = {}
    for file in files:
        # One file at a time: a path without a suffix is not taken for a data set.
        for row in pyarrow.parquet.ParquetFile(file).read().to_pylist():
            rows[row["state"]] += 1
            place = (row["state"], row["key"].hex(), (row["subkey"] or b"").hex())
            values["/".join(place)] = row["value"].hex()
    return {"rows": rows, "values": values}


def duck():
    table = "read_parquet(?)"
    names = [str(file) for file in files]
    rows = duckdb.execute(f"SELECT state, count(*) FROM {table} GROUP BY state", [names]).fetchall()
    columns = "state, lower(hex(key)), lower(hex(coalesce(subkey, ''::BLOB))), lower(hex(value))"
    values = duckdb.execute(f"SELECT {columns} FROM {table}", [names]).fetchall()
    return {"rows": dict(rows), "values": {"/".join(row[:3]): row[3] for row in values}}


json.dump({"pyarrow": arrow(), "duckdb": duck()}, sys.stdout)
