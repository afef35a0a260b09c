#!/usr/bin/env bash
# Measures Sonde beside Debian's Prometheus and VictoriaMetrics with the load generators of ../shared/bench-kit, in one
# run on one machine, interleaved. usage: bench/server.sh [SCENARIO...]   (default: ingest query scrape restart)
# Results: build/bench-results/*.json and a table on standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
kit=../shared/bench-kit
[ -d "$kit" ] || { echo "$kit is not here" >&2; exit 77; }
copy=$PWD/build/bench-kit
mkdir -p "$copy" build/bench-results
cp -ru --no-preserve=mode "$kit"/. "$copy"/
chmod +x "$copy"/*.sh
export PATH=$PWD/build/release:$PATH
targets=("$PWD/bench/targets/sonde.json")
for peer in prometheus victoria-metrics; do
  if command -v "$peer" >/dev/null; then targets+=("${peer//-/}"); fi
done
scenarios=("$@")
[ ${#scenarios[@]} -gt 0 ] || scenarios=(ingest query scrape restart)

run() {
  timeout -k 10 1500 "$copy/run.sh" OUT="$PWD/build/bench-results" "$@"
}

for scenario in "${scenarios[@]}"; do
  for target in "${targets[@]}"; do
    case "$scenario" in
      ingest) run TARGET="$target" SCENARIO=ingest SERIES=100000 ROUNDS=60 PIN=1 REPEAT="${REPEAT:-3}" ;;
      ingest1m) run TARGET="$target" SCENARIO=ingest SERIES=1000000 ROUNDS=8 ;;
      query) run TARGET="$target" SCENARIO=query REPEAT="${REPEAT:-2}" ;;
      scrape) run TARGET="$target" SCENARIO=scrape WARM="${WARM:-60}" DURATION="${DURATION:-60}" ;;
      restart) run TARGET="$target" SCENARIO=restart SERIES=1000000 ROUNDS=8 ;;
      *) echo "unknown scenario $scenario" >&2; exit 2 ;;
    esac
  done
done
python3 "$copy/report.py" "$PWD/build/bench-results"
