#!/usr/bin/env bash
# Streams through Sonde's gateway beside Debian's nginx as a proxy and beside none, in the same run: latency of the first
# and of each token, CPU and memory of the proxy. Usage: bench/gateway/run.sh SONDE_BINARY TOOL [FIRST_PORT]
# TOOL is gateway_bench_tool, built with -DSONDE_BENCHES=ON; needs nginx. STREAMS, RATE, SECONDS_MEASURED and ROUNDS change
# the load. On a machine that has other things to do, run it under `chrt -r 1`, or it measures those.
set -euo pipefail
sonde=$1
tool=$2
port=${3:-22000}
streams=${STREAMS:-1000}
rate=${RATE:-50}
seconds=${SECONDS_MEASURED:-10}
rounds=${ROUNDS:-3}
work=$(mktemp -d)
pids=
# shellcheck disable=SC2154  # p is the loop's own variable.
trap 'for p in $pids; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null; rm -rf "$work"' EXIT
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

# A stream lasts five seconds; then its connection asks again.
"$tool" upstream "$port" $((rate * 5)) "$rate" & pids="$pids $!"
gateway=$((port + 1))
nginx=$((port + 2))

cat >"$work/sonde.yml" <<END
sonde:
  gateway:
    listen_address: 127.0.0.1:$gateway
    upstream_keep_alive: 60s
    upstreams: [{name: bench, url: "http://127.0.0.1:$port", models: [bench]}]
END
"$sonde" serve --config.file "$work/sonde.yml" --storage.tsdb.path "$work/data" --web.listen-address "127.0.0.1:$((port + 3))" \
  --no-engine.autodetect --no-host --no-self >"$work/sonde.log" 2>&1 & sonde_pid=$!
pids="$pids $sonde_pid"

cat >"$work/nginx.conf" <<END
worker_processes 2; daemon off; pid $work/pid; error_log $work/error.log; worker_rlimit_nofile 20000;
events { worker_connections 8000; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  upstream bench { server 127.0.0.1:$port; keepalive 2000; }
  server {
    listen 127.0.0.1:$nginx;
    tcp_nodelay on;
    location / { proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}
END
nginx -c "$work/nginx.conf" & master=$!
pids="$pids $master"
sleep 2
# shellcheck disable=SC2207  # Numbers.
workers=($(pgrep -P "$master"))

for _ in $(seq "$rounds"); do
  "$tool" client direct "$port" "$streams" "$seconds"
  "$tool" client sonde "$gateway" "$streams" "$seconds" "$sonde_pid"
  "$tool" client nginx "$nginx" "$streams" "$seconds" "${workers[@]}"
done
