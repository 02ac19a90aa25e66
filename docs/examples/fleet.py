#!/usr/bin/env python3
"""What does a new configuration change for a fleet of servers, on captures that outgrow one machine?

    python3 fleet.py --config knockd.conf --new new.conf --output results.jsonl captures/*/*.pcap.zst

Needs Python 3.9, Ray (pip install 'ray>=2.9'), and knock-replay on every machine. A capture belongs to the server
whose name its folder has. Captures can be URLs, such as s3://bucket/web1/monday.pcap.zst, if fsspec is
installed (pip install fsspec s3fs). Without an address of a Ray cluster, this machine is the cluster.

One task reads each capture and keeps what the configurations need (knock-replay extract); one task for each
server then compares the two configurations on all that is left of its captures (knock-replay diff). A task whose
worker dies is started again. The result is one JSON object a line, as knock-replay(1) describes, with the server in
"server". The exit status is 0 if nothing changes, 1 if something does, 2 if something failed.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import ray


def server_of(capture):
    """Returns the name of the folder that a capture is in."""
    return capture.rsplit("/", 2)[-2] if "/" in capture else "local"


def failure(program, run):
    """Returns what a program that failed has said."""
    told = run.stderr.decode(errors="replace").strip()
    return RuntimeError(f"{program}: status {run.returncode}: {told}")


@contextlib.contextmanager
def piped(url):
    """Gives the content of an object as the reading end of a pipe."""
    import fsspec

    reading, writing = os.pipe()

    def copy():
        with fsspec.open(url, "rb") as file, open(writing, "wb") as pipe, contextlib.suppress(BrokenPipeError):
            shutil.copyfileobj(file, pipe, 1 << 20)

    with concurrent.futures.ThreadPoolExecutor(1) as threads, open(reading, "rb") as pipe:
        copying = threads.submit(copy)
        yield pipe
        pipe.close()
        copying.result()


@ray.remote(num_cpus=1, max_retries=3)
def extract(program, capture, configs):
    """Returns what the configurations need of a capture, as a small capture, and why it could not be read to its end."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [program, "extract", "--quiet", "--output", "-"]
        for number, config in enumerate(configs):
            path = pathlib.Path(folder, f"{number}.conf")
            path.write_bytes(config)
            arguments += ["--config", str(path)]
        if "://" in capture:
            with piped(capture) as pipe:
                run = subprocess.run([*arguments, "-"], stdin=pipe, capture_output=True, check=False)
        else:
            run = subprocess.run([*arguments, capture], capture_output=True, check=False)
    # A capture that is cut or damaged, status 3, is used as far as it goes.
    if run.returncode not in (0, 3):
        raise failure(f"extract {capture}", run)
    return run.stdout, run.stderr.decode(errors="replace") if run.returncode else ""


@ray.remote(num_cpus=1, max_retries=3)
def compare(program, server, configs, captures, *extracts):
    """Returns whether the new configuration changes anything for a server, and what, one object a line.

    Captures have their own names there; the numbers of packets are those in what is left of them.
    """
    told = "".join(told for _, told in extracts)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [program, "diff", "--quiet", "--format", "json"]
        for name, (packets, _) in zip(captures, extracts):
            # There is nothing of a capture that could not be opened.
            if packets:
                name = os.path.normpath(name.replace("://", "/")).lstrip("/.")
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(packets)
                arguments.append(name)
        for option, config in zip(("--config", "--new"), configs):
            name = f"{option.strip('-')}.conf"
            pathlib.Path(folder, name).write_bytes(config)
            arguments += [option, name]
        if not any(packets for packets, _ in extracts):
            return False, [], told
        run = subprocess.run(arguments, cwd=folder, capture_output=True, check=False)
    if run.returncode not in (0, 1):
        raise failure(f"diff for {server}", run)
    lines = [json.dumps({"server": server, **json.loads(line)}) for line in run.stdout.splitlines()]
    return run.returncode == 1, lines, told


def progress(done, total, what):
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"{done:>7} of {total} {what}", end=end, file=sys.stderr, flush=True)


def extract_all(program, configs, captures):
    """Reads all captures, twice as many at a time as there are processors. Returns what is left of them, by server."""
    limit = max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
    waiting = collections.deque(captures)
    running, extracts = {}, {}
    while waiting or running:
        while waiting and len(running) < limit:
            capture = waiting.popleft()
            running[extract.remote(program, capture, configs)] = capture
        [ready], _ = ray.wait(list(running), num_returns=1, fetch_local=False)
        extracts[running.pop(ready)] = ready
        progress(len(extracts), len(captures), "captures read")
    by_server = collections.defaultdict(dict)
    for capture in captures:
        by_server[server_of(capture)][capture] = extracts[capture]
    return by_server


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captures", nargs="+", metavar="CAPTURE")
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration of now")
    parser.add_argument("--new", required=True, metavar="FILE", help="the configuration to try")
    parser.add_argument("--output", required=True, metavar="FILE.jsonl", help="the result")
    parser.add_argument("--program", default="knock-replay", metavar="FILE", help="where knock-replay is")
    parser.add_argument("--address", metavar="ADDRESS", help="the address of a Ray cluster, or 'auto'")
    arguments = parser.parse_args()
    program = shutil.which(arguments.program) or arguments.program
    # Captures of one server are in the order of their names, which decides between packets of one time.
    captures = sorted(set(arguments.captures))
    configs = [pathlib.Path(file).read_bytes() for file in (arguments.config, arguments.new)]
    ray.init(address=arguments.address, log_to_driver=False, include_dashboard=False)
    by_server = extract_all(program, configs, captures)
    running = [
        compare.remote(program, server, configs, list(extracts), *extracts.values())
        for server, extracts in sorted(by_server.items())
    ]
    is_changed = False
    with open(arguments.output, "w", encoding="utf-8") as file:
        for done, task in enumerate(running, start=1):
            differs, lines, told = ray.get(task)
            is_changed |= differs
            file.writelines(line + "\n" for line in lines)
            sys.stderr.write(told)
            progress(done, len(running), "servers compared")
    return int(is_changed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ray.exceptions.RayError, ValueError) as error:
        print(f"fleet.py: error: {error}", file=sys.stderr)
        sys.exit(2)
