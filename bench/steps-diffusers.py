"""The other side of bench/steps: diffusers' step() on torch, and the operations of our step one by one in NumPy.

Started by bench/steps.ts, which writes one JSON line with the operations, and then lines "run NAME CALLS FLOATS";
every line is answered by one: versions, or the microseconds of one call, or "error" and why.
"""

import json
import os
import sys
import time

for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

SHAPES = {784: (1, 1, 28, 28), 16384: (1, 4, 64, 64), 3145728: (1, 3, 1024, 1024)}
STEPS = 20
# Full order, corrector on: neither the first steps nor the last ones, which have a lower order.
MEASURED = range(4, 17)


def diffusers_step():
    import diffusers
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    scheduler = diffusers.UniPCMultistepScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        solver_order=3,
        solver_type="bh2",
        prediction_type="epsilon",
        predict_x0=True,
        lower_order_final=True,
    )
    buffers = {}

    def run(calls, floats):
        if floats not in buffers:
            shape = SHAPES.get(floats, (1, floats))
            buffers[floats] = torch.randn(shape), torch.randn(shape)
        output, noise = buffers[floats]
        seconds, count = 0.0, 0
        while count < calls:
            scheduler.set_timesteps(STEPS)
            x = noise
            for i, t in enumerate(scheduler.timesteps):
                started = time.perf_counter()
                x = scheduler.step(output, t, x, return_dict=False)[0]
                ended = time.perf_counter()
                if i in MEASURED:
                    seconds += ended - started
                    count += 1
        return 1e6 * seconds / count

    return run, f"diffusers {diffusers.__version__} on torch {torch.__version__}"


def numpy_step(operations):
    import numpy as np

    program = [(o["out"], [(np.float32(c), x) for c, x in o["terms"]]) for o in operations]
    inputs = sorted({x for _, terms in program for _, x in terms} - {o for o, _ in program if o < 0})
    buffers = {}

    def run(calls, floats):
        if floats not in buffers:
            generator = np.random.default_rng(0)
            buffers[floats] = {x: generator.standard_normal(floats, np.float32) for x in inputs}
        slots = buffers[floats]
        started = time.perf_counter()
        for _ in range(calls):
            for out, terms in program:
                total = terms[0][0] * slots[terms[0][1]]
                for c, x in terms[1:]:
                    total = total + c * slots[x]
                slots[out] = total
        return 1e6 * (time.perf_counter() - started) / calls

    return run, f"NumPy {np.__version__}"


def main():
    operations = json.loads(sys.stdin.readline())
    # What the libraries print goes elsewhere: the answers have the standard output for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    runs, versions, missing = {}, {}, {}
    for name, start in (("diffusers", diffusers_step), ("numpy", lambda: numpy_step(operations))):
        try:
            runs[name], versions[name] = start()
        except ImportError as error:
            missing[name] = str(error)
    python = sys.version.split()[0]
    print(json.dumps({"python": python, "versions": versions, "missing": missing}), file=answers, flush=True)
    for line in sys.stdin:
        _, name, calls, floats = line.split()
        try:
            print(runs[name](int(calls), int(floats)), file=answers, flush=True)
        except Exception as error:  # the benchmark goes on without it
            print("error", repr(error).replace("\n", " "), file=answers, flush=True)


main()
