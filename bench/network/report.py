"""Medians, ratios, goals, and the table of a run."""

import statistics

ADAPTER = "causeway adapter"
NATS = ("pasta", "pasta mtu1500", "slirp4netns")


def summary_of(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values)}


def summarize(samples, tests, names):
    """Of each test and contestant, each figure: median, min, max. `samples`: those without error."""
    cells = {}
    for test in tests:
        for name in names:
            mine = [s for s in samples if s["test"] == test.name and s["contestant"] == name]
            if not mine:
                continue
            figures = {k for s in mine for k, v in s.items() if isinstance(v, (int, float))} - {"round"}
            cells.setdefault(test.name, {})[name] = {
                k: summary_of([s[k] for s in mine if s.get(k) is not None]) for k in sorted(figures)}
    return cells


def ratios_of(samples, tests, names):
    """figure(first) / figure(second) of each round that has both; then the median over the rounds."""
    ratios = {}
    for test in tests:
        by_round = {}
        for s in samples:
            if s["test"] == test.name:
                by_round.setdefault(s["round"], {})[s["contestant"]] = s
        for figure in (test.figure, "cpu_s_per_gb", "own_cpu_s_per_gb"):
            for first in names:
                for second in names:
                    each = [both[first][figure] / both[second][figure] for both in by_round.values()
                            if first != second and first in both and second in both and
                            both[first].get(figure) is not None and both[second].get(figure)]
                    if each and first.startswith("causeway"):
                        ratios.setdefault(test.name, {}).setdefault(figure, {})[
                            f"{first} / {second}"] = summary_of(each)
    return ratios


def goals_of(ratios, idle):
    """What is promised of executor adapter; met: None where it was not measured."""
    goals = []

    def goal(text, value, met):
        goals.append({"goal": text, "value": value, "met": met})
    tcp = ratios.get("tcp", {}).get("gbit_per_s", {})
    for other, least in (("veth", 0.5), ("vde", 3.0), *((nat, 3.0) for nat in NATS)):
        found = tcp.get(f"{ADAPTER} / {other}")
        value = found["median"] if found else None
        goal(f"TCP by executor adapter at least {least:g} x {other}", value,
             None if value is None else value >= least)
    percent = idle.get(ADAPTER, {}).get("percent")
    goal("three idle interfaces, executor adapter, under 1 % of a core", percent,
         None if percent is None else percent < 1)
    return goals


def _cell(cells, test, name, figure, form="{:.2f}"):
    found = cells.get(test, {}).get(name, {}).get(figure)
    return form.format(found["median"]) if found else "-"


def _against(ratios, test, name):
    found = ratios.get(test, {}).get("gbit_per_s", {}).get(f"{name} / veth")
    return f" ({found['median']:.2f})" if found else ""


def _print(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(widths[0]) if i == 0 else cell.rjust(widths[i])
                        for i, cell in enumerate(row)).rstrip())
    print()


def print_tables(result):
    cells, ratios, idle = result["cells"], result["ratios"], result["idle"]
    names = list(result["contestants"])
    columns = [t for t in ("tcp", "tcp_back", "tcp_4", "udp_1400", "udp_big") if t in cells]
    if columns:
        print(f"Gbit/s that arrive, medians of {result['rounds']} rounds of {result['seconds']:g} s "
              "(in brackets: as a part of veth's); UDP: lost of what was sent")
        rows = []
        for name in names:
            row = [name]
            for test in columns:
                row.append(_cell(cells, test, name, "gbit_per_s") + _against(ratios, test, name))
                if test.startswith("udp"):
                    row.append(_cell(cells, test, name, "loss", "{:.1%}"))
            rows.append(row)
        head = ["contestant"]
        for test in columns:
            head += [test] + (["lost"] if test.startswith("udp") else [])
        _print(head, rows)
    trips = [t for t in ("round_trip_tcp", "round_trip_udp") if t in cells]
    heavy = [t for t in columns if t in ("tcp", "udp_1400")]
    if trips or heavy or idle:
        print("Round trips of 64 bytes in us; processor seconds per 10^9 bytes, of the machine and (of the "
              "processes); idle: % of a core, 3 interfaces")
        head, rows = ["contestant"], []
        for test in trips:
            head += [test.replace("round_trip_", "") + " p50", "p99"]
        head += [f"cpu/GB {test}" for test in heavy] + (["idle %"] if idle else [])
        for name in names:
            row = [name]
            for test in trips:
                row += [_cell(cells, test, name, "p50_us", "{:.1f}"),
                        _cell(cells, test, name, "p99_us", "{:.1f}")]
            for test in heavy:
                row.append(_cell(cells, test, name, "cpu_s_per_gb") +
                           f" ({_cell(cells, test, name, 'own_cpu_s_per_gb')})")
            if idle:
                mine = idle.get(name)
                row.append(f"{mine['percent']:.2f}" if mine and "percent" in mine else "-")
            rows.append(row)
        _print(head, rows)
    for goal in result["goals"]:
        if goal["met"] is not None:
            print(f"{'met    ' if goal['met'] else 'not met'}  {goal['goal']}: {goal['value']:.2f}")
    for name, why in result["left_out"].items():
        print(f"left out  {name}: {why}")
    failed = {(f["contestant"], f["test"]): f["error"] for f in result["failed"]}
    for (name, test), why in failed.items():
        print(f"no figure  {name}, {test}: {why}")
