#!/usr/bin/env bash
# Our HTTP server beside nginx, in the same run: requests per CPU second of the server, memory of idle connections,
# and the CPU of our client. Usage: bench/http/run.sh BUILD_DIR [FIRST_PORT]
# BUILD_DIR was configured with -DSONDE_BENCHES=ON; needs wrk and nginx. Prints one line per figure.
set -euo pipefail
build=$1
port=${2:-21000}
tool=$build/src/net/http_bench_tool
work=$(mktemp -d)
pids=
# shellcheck disable=SC2154  # p is the loop's own variable.
trap 'for p in $pids; do kill "$p" 2>/dev/null || true; done; rm -rf "$work"' EXIT

# CPU ticks that a process has used.
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
rss() { awk '/VmRSS/ {print $2}' "/proc/$1/status"; }

# name, pid, port
load() {
  wrk -t1 -c64 -d1s "http://127.0.0.1:$3/" >/dev/null
  before=$(ticks "$2")
  requests=$(wrk -t1 -c64 -d3s "http://127.0.0.1:$3/" | awk '/requests in/ {print $1}')
  after=$(ticks "$2")
  awk -v n="$requests" -v t="$((after - before))" -v name="$1" -v hz="$(getconf CLK_TCK)" \
    'BEGIN {printf "%-28s %8.0f requests per CPU second (%.2f us each)\n", name, n / (t / hz), t / hz * 1e6 / n}'
}

"$tool" serve "$port" & sonde=$!
pids="$pids $sonde"
nginx_port=$((port + 1))
cat >"$work/nginx.conf" <<EOF
worker_processes 1; daemon off; pid $work/pid; error_log $work/error.log;
events { worker_connections 20000; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  server { listen 127.0.0.1:$nginx_port; location / { return 200 "Hello, this answer has 35 bytes.\r\n\n"; } }
}
EOF
nginx -c "$work/nginx.conf" & master=$!
pids="$pids $master"
sleep 1
worker=$(pgrep -P "$master")
for _ in 1 2 3; do
  load "sonde" "$sonde" "$port"
  load "nginx" "$worker" "$nginx_port"
done

ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
count=1000
for server in "sonde $sonde $port" "nginx $worker $nginx_port"; do
  # shellcheck disable=SC2086
  set -- $server
  before=$(rss "$2")
  "$tool" idle "$3" "$count" >"$work/idle" & holder=$!
  pids="$pids $holder"
  while ! grep -q connections "$work/idle"; do sleep 0.1; done
  after=$(rss "$2")
  echo "$1: $(((after - before) * 1024 / count)) bytes of RSS per idle connection ($count of them)"
  kill "$holder"
  wait "$holder" || true
done

"$tool" fetch "$port" 1000 5
"$tool" fetch "$port" 1000 5
