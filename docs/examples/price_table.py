"""Write a CSV table of the active models by price: `python price_table.py > prices.csv`."""

import csv
import sys

from router import Catalogue

COLUMNS = ["id", "line", "price.input", "price.output", "max_input_tokens", "pdf_input"]

rows = [row for row in Catalogue.bundled().to_records() if row["lifecycle"] == "active"]
rows.sort(key=lambda row: (row["price.output"] is None, row["price.output"], row["id"]))

table = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
table.writeheader()
table.writerows(rows)
