#!/usr/bin/env bash
# Runs fuzz targets for a while: tools/fuzz.sh [TARGET|all] [SECONDS], from anywhere; `./dev fuzz` calls it.
#
# Starts from fuzz/corpus/TARGET, which is only read. What the fuzzer adds to it lies in build/fuzz/found/TARGET and is
# used again next time; inputs that crash, leak, hang or need too much memory are written to build/fuzz/findings.
# Exits with 1 if there are any. To keep one as a test, copy it to fuzz/corpus/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."

target=all
seconds=60
for argument in "$@"; do
  case $argument in
    '' | *[!0-9]*) target=$argument ;;
    *) seconds=$argument ;;
  esac
done

if [ "$target" = all ]; then
  mapfile -t targets < <(sed -n 's/^sonde_fuzz(NAME \([a-z0-9_]*\).*/\1/p' fuzz/CMakeLists.txt | sort)
else
  targets=("$target")
fi

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"

mkdir -p build/fuzz/findings
failed=()
for name in "${targets[@]}"; do
  found=build/fuzz/found/$name
  mkdir -p "$found"
  corpora=("$found")
  [ -d "fuzz/corpus/$name" ] && corpora+=("fuzz/corpus/$name")
  log=build/fuzz/findings/$name.log
  printf '== %s, %s s\n' "$name" "$seconds"
  if "build/fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -artifact_prefix="build/fuzz/findings/$name-" "${corpora[@]}" >"$log" 2>&1; then
    tail -1 "$log"
  else
    failed+=("$name")
    tail -40 "$log"
  fi
done

if [ ${#failed[@]} -gt 0 ]; then
  printf 'findings in: %s; inputs and logs are in build/fuzz/findings\n' "${failed[*]}"
  exit 1
fi
printf 'no findings in %s targets\n' "${#targets[@]}"
