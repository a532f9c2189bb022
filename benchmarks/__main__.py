from benchmarks.ours import figures

for f in figures():
    print(
        f"{f.name:60} {f.median:10.2f} [{f.low:.2f}-{f.high:.2f}] {f.unit:12} {f.target or ''} {f.verdict}", flush=True
    )
