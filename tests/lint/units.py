"""Compiling for the rules: flags from the Makefile, work in parallel, results cached.

A cached result belongs to one file, tool, set of flags and configuration, and holds as long
as no file that went into the compilation changed: `deps` maps each one to its hash. Thus a
second run over an unchanged tree reads files but starts no compiler.
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import tempfile

import source

# Used only for trees without a Makefile: the samples of the self-test.
PLAIN_FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wshadow",
               "-Wstrict-prototypes", "-Wmissing-prototypes", "-Isrc"]
HASHES = {}


def cache_folder():
    base = os.environ.get("PGA_CACHE") or os.path.expanduser("~/.cache/pga")
    return os.path.join(base, "lint")


class Flags:
    """Compiler flags of a folder under src/, asked of the Makefile once."""

    def __init__(self, tree):
        self.tree = tree
        self.known = {}

    def of(self, path):
        folder = path.split("/")[1] if path.count("/") > 1 else "app"
        if folder not in self.known:
            self.known[folder] = self.ask(folder)
        return self.known[folder]

    def ask(self, folder):
        if "Makefile" not in self.tree.paths:
            return PLAIN_FLAGS
        command = ["make", "-s", "--no-print-directory", "VARIANT=unit",
                   f"print-cflags-{folder}"]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        done = subprocess.run(command, cwd=self.tree.root, capture_output=True, text=True, env=env)
        if done.returncode != 0 or not done.stdout.strip():
            source.broken(f"make print-cflags-{folder} failed: {done.stderr.strip()}")
        # The place of the tree changes no finding, but would make the cache useless elsewhere.
        return [f for f in shlex.split(done.stdout) if not f.startswith("-ffile-prefix-map=")]


def hash_file(path):
    if path not in HASHES:
        try:
            with open(path, "rb") as f:
                HASHES[path] = hashlib.sha256(f.read()).hexdigest()
        except OSError:
            HASHES[path] = "absent"
    return HASHES[path]


def dependencies(tree, path, flags):
    """Every file that compiling `path` reads, or None when it does not preprocess."""
    done = subprocess.run(["gcc", *flags, "-M", path], cwd=tree.root, capture_output=True,
                          text=True)
    if done.returncode != 0:
        return None
    return shlex.split(done.stdout.split(":", 1)[1].replace("\\\n", " "))


def cached(tree, path, flags, salt, work):
    """Result of `work()` for one file: a JSON value, from the cache when nothing changed."""
    key = json.dumps([path, hash_file(tree.full(path)), flags, salt])
    name = hashlib.sha256(key.encode()).hexdigest()
    place = os.path.join(cache_folder(), name[:2], name + ".json")
    try:
        with open(place, encoding="utf-8") as f:
            entry = json.load(f)
        if all(hash_file(tree.full(d)) == h for d, h in entry["deps"].items()):
            return entry["result"]
    except (OSError, ValueError, KeyError):
        pass
    deps = dependencies(tree, path, flags)
    result = work()
    if deps is not None:
        store(place, {"deps": {d: hash_file(tree.full(d)) for d in deps}, "result": result})
    return result


def store(place, entry):
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(place), delete=False) as f:
        json.dump(entry, f)
    os.replace(f.name, place)


def parallel(work, items):
    """work(item) for each item on every core; results in the order of the items."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))


def tool_version(tool):
    return subprocess.run([tool, "--version"], capture_output=True, text=True).stdout
