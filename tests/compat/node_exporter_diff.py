#!/usr/bin/env python3
"""Compares Sonde's host page with prometheus-node-exporter on the same machine.

    tests/compat/node_exporter_diff.py --ours URL-or-FILE [--theirs URL-or-FILE] [--exporter PATH] [--port N] [-v]

--ours is the host page of a running `sonde serve` (http://127.0.0.1:9797/metrics/host) or a file. Without --theirs
the installed prometheus-node-exporter is started on --port for the time of two scrapes; if it is not installed, the
script says so and exits 0. Reported: families that only one side has, other types, other label sets, and values that
differ by more than what passes between two scrapes. Exit code 1 if one of these is not in the list of known and
explained differences below.
"""
import argparse
import re
import shutil
import subprocess
import sys
import time
import urllib.request

# Why each known difference exists. Patterns match whole family names.
KNOWN = [
    # The exporter about itself, and families of collectors that Sonde does not have.
    (r"go_.*|promhttp_.*|node_exporter_build_info", "the exporter's own runtime"),
    (r"node_textfile_.*", "no textfile collector: Sonde scrapes and takes remote writes"),
    (r"node_cgroups_.*", "node_exporter's list of cgroup v1 controllers"),
    (r"node_selinux_.*|node_dmi_.*|node_bonding_.*|node_btrfs_.*|node_xfs_.*|node_zfs_.*|node_nfsd?_.*|"
     r"node_ipvs_.*|node_fibrechannel_.*|node_tape_.*|node_bcache(fs)?_.*|node_watchdog_.*|node_wifi_.*|"
     r"node_zoneinfo_.*|node_slabinfo_.*|node_softirqs_.*|node_qdisc_.*|node_lnstat_.*|node_ksmd_.*|"
     r"node_mountstats_.*|node_drbd_.*|node_xfrm_.*|node_dmmultipath_.*|node_pcidevice_.*|node_sysctl_.*|"
     r"node_memory_numa_.*|node_buddyinfo_.*|node_cpu_(info|flag_info|bug_info|vulnerabilities_info)|"
     r"node_cpu_frequency_hertz|node_systemd_.*|testmetric.*",
     "a collector that Sonde does not have"),
    # What Sonde adds.
    (r"node_cgroup_.*", "Sonde's own: cgroup v2"),
    (r"process_threads", "Sonde's own"),
    (r"node_netstat_Tcp_MaxConn|node_netstat_TcpExt_(TCPOFOQueue|TCPRcvQDrop)|node_kernel_hung_tasks_total|"
     r"node_filesystem_mount_info|node_cpu_(online|isolated)|node_softnet_.*|node_pressure_irq_.*|"
     r"node_memory_.*", "newer node_exporter than the one compared, or its dashboard wants it"),
    # The same family, other content: the third entry says which lines of the report it explains.
    (r"node_network_speed_bytes", "no speed instead of -125000 for devices without one"),
    (r"node_network_info", "newer node_exporter: label adminstate"),
    (r"node_network_(receive|transmit)_.*", "Debian's default leaves out lo", r"series only ours: .*'device': 'lo'"),
    (r"node_filesystem_.*", "Debian's default leaves out tmpfs", r"series only ours: .*'fstype': 'tmpfs'"),
    (r"node_disk_.*", "zram devices are excluded, as in newer versions", r"series only theirs: .*'device': 'zram"),
    (r"node_disk_info", "newer node_exporter: label rotational", r"series only"),
    (r"node_processes_(threads_)?state|node_tcp_connection_states", "what runs changes between two scrapes",
     r"series only"),
    (r"node_tcp_connection_states", "what is queued changes between two scrapes", r"value .*queued_bytes"),
    (r"node_udp_queues|node_sockstat_\w+_mem(_bytes)?", "what is queued changes between two scrapes", r"value"),
    (r"node_scrape_collector_.*", "other collectors, and 0 where the machine has no such thing"),
    (r"process_.*", "each about its own process"),
    (r"node_nvme_namespace_(size|capacity)_bytes", "sysfs counts 512-byte sectors whatever the block size"),
]

# Families whose values move between two scrapes, with the change that is fine (relative, absolute).
MOVING = [
    (r".*_total|node_vmstat_.*|node_netstat_.*|node_time_seconds|node_sockstat_.*", (0.25, 300)),
    (r"node_memory_.*", (0.25, 512 << 20)),
    (r"node_load.*|node_procs_.*|node_processes_.*|node_tcp_.*|node_udp_.*|node_filefd_.*|node_disk_io_now|"
     r"node_entropy_.*|node_nf_.*|node_arp_.*|node_timex_.*|node_cpu_scaling_frequency_hertz", (0.5, 50)),
    (r"node_filesystem_.*", (0.02, 1 << 30)),
]

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """Families: name -> (type, {labels: value})."""
    families = {}
    types = {}
    for line in text.split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            types[name] = kind
        elif line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            pairs = tuple(sorted((k, v) for k, v in LABEL.findall(labels or "") if v != ""))
            families.setdefault(name, {})[pairs] = float(value)
    return {name: (types.get(name, "untyped"), samples) for name, samples in families.items()}


def load(where):
    if where.startswith("http"):
        with urllib.request.urlopen(where, timeout=20) as reply:
            return parse(reply.read().decode())
    with open(where, encoding="utf-8", errors="replace") as file:
        return parse(file.read())


def known(name, message):
    for pattern, why, *lines in KNOWN:
        if re.fullmatch(pattern, name) and (not lines or re.match(lines[0], message)):
            return why
    return None


def far_apart(name, a, b):
    if a == b or (a != a and b != b):
        return False
    relative, absolute = 1e-9, 0
    for pattern, tolerance in MOVING:
        if re.fullmatch(pattern, name):
            relative, absolute = tolerance
            break
    return abs(a - b) > max(absolute, relative * max(abs(a), abs(b)))


def compare(ours, theirs, exact):
    """Yields (name, message)."""
    for name in sorted(set(ours) | set(theirs)):
        if name not in ours:
            yield name, f"only theirs ({theirs[name][0]}, {len(theirs[name][1])} series)"
            continue
        if name not in theirs:
            yield name, f"only ours ({ours[name][0]}, {len(ours[name][1])} series)"
            continue
        (our_type, our_samples), (their_type, their_samples) = ours[name], theirs[name]
        if our_type != their_type:
            yield name, f"type {our_type}, theirs {their_type}"
        for labels in sorted(set(our_samples) ^ set(their_samples)):
            side = "ours" if labels in our_samples else "theirs"
            yield name, f"series only {side}: {dict(labels)}"
        for labels in sorted(set(our_samples) & set(their_samples)):
            a, b = our_samples[labels], their_samples[labels]
            differs = (abs(a - b) > 1e-9 * max(abs(a), abs(b))) if exact else far_apart(name, a, b)
            if differs:
                yield name, f"value {a:g}, theirs {b:g} for {dict(labels)}"


def run_exporter(path, port, ours):
    """Starts the exporter, scrapes it and our page close together."""
    process = subprocess.Popen(
        [path, f"--web.listen-address=127.0.0.1:{port}", "--collector.processes", "--collector.tcpstat",
         "--log.level=error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(50):
            try:
                load(f"http://127.0.0.1:{port}/metrics")
                break
            except OSError:
                time.sleep(0.1)
        return load(ours), load(f"http://127.0.0.1:{port}/metrics")
    finally:
        process.terminate()
        process.wait()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ours", required=True)
    arguments.add_argument("--theirs")
    arguments.add_argument("--exporter", default="prometheus-node-exporter")
    arguments.add_argument("--port", type=int, default=25901)
    arguments.add_argument("--exact", action="store_true", help="the pages show the same instant (fixtures)")
    arguments.add_argument("-v", "--verbose", action="store_true", help="list the known differences too")
    options = arguments.parse_args()
    if options.theirs:
        ours, theirs = load(options.ours), load(options.theirs)
    else:
        path = shutil.which(options.exporter)
        if not path:
            print(f"skipped: {options.exporter} is not installed")
            return 0
        ours, theirs = run_exporter(path, options.port, options.ours)

    explained, unexplained = {}, []
    for name, message in compare(ours, theirs, options.exact):
        why = known(name, message)
        if why:
            explained.setdefault(why, []).append(f"{name}: {message}")
        else:
            unexplained.append(f"{name}: {message}")
    common = set(ours) & set(theirs)
    same = sum(1 for name in common if not list(compare({name: ours[name]}, {name: theirs[name]}, options.exact)))
    print(f"families: ours {len(ours)}, theirs {len(theirs)}, both {len(common)}, of these alike {same}")
    for why, lines in sorted(explained.items()):
        print(f"known, {why}: {len(lines)}")
        for line in lines if options.verbose else []:
            print(f"    {line}")
    for line in unexplained:
        print(f"DIFFERENT {line}")
    print("ok" if not unexplained else f"{len(unexplained)} unexplained differences")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
