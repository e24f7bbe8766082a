"""Runs scheduler classes of diffusers as cases.json does not, and writes test/fixtures/diffusers/further.json.

    python test/support/further_cases.py        with diffusers 0.42.1, torch and numpy

The network, the loop and the fields are those of cases.json (test/fixtures/diffusers/README.md). `float64` is the class's own
source with float32 replaced by float64.
"""

import importlib
import inspect
import json
import math
import pathlib
import sys
import types

import diffusers
import numpy as np
import torch

fixtures = pathlib.Path(__file__).parent.parent / "fixtures" / "diffusers"
file = json.loads((fixtures / "cases.json").read_text())
mixture, recorded = file["mixture"], file["cases"]
means, std, weights, components = (np.array(mixture[key]) for key in ("means", "std", "weights", "labels"))
diffusers.utils.logging.set_verbosity_error()

sd = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
cogvideox = {
    **sd,
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}
# class, configuration, arguments of set_timesteps, arguments of step, guidance scale
runs = [
    ("DDIMParallelScheduler", {**sd, "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}, {"num_inference_steps": 10}, {}, 7.5),
    ("DDIMParallelScheduler", {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}, {"num_inference_steps": 4}, {"eta": 0.5}, None),
    ("DDIMParallelScheduler", {**sd, "thresholding": True, "sample_max_value": 1.5, "timestep_spacing": "linspace"}, {"num_inference_steps": 6}, {"use_clipped_model_output": True}, None),
    ("DDPMParallelScheduler", {**sd, "clip_sample": False}, {"num_inference_steps": 8}, {}, None),
    ("DDPMParallelScheduler", {"variance_type": "fixed_large", "clip_sample_range": 2.0, "prediction_type": "v_prediction"}, {"num_inference_steps": 5}, {}, 1.5),
    ("DDPMParallelScheduler", {**sd, "variance_type": "fixed_small_log", "prediction_type": "sample"}, {"timesteps": [999, 700, 350, 20]}, {}, None),
    ("CogVideoXDDIMScheduler", {**cogvideox, "snr_shift_scale": 3.0}, {"num_inference_steps": 10}, {}, 1.5),
    ("CogVideoXDDIMScheduler", {**cogvideox, "snr_shift_scale": 1.0}, {"num_inference_steps": 5}, {}, None),
    ("CogVideoXDDIMScheduler", {"set_alpha_to_one": False, "steps_offset": 1}, {"num_inference_steps": 7}, {}, None),
    ("CogVideoXDDIMScheduler", {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02, "timestep_spacing": "linspace", "prediction_type": "sample"}, {"num_inference_steps": 6}, {}, None),
    ("CogVideoXDDIMScheduler", {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "snr_shift_scale": 2.0}, {"num_inference_steps": 3}, {}, None),
    ("DDPMScheduler", {"beta_schedule": "laplace", "prediction_type": "v_prediction", "clip_sample": False}, {"num_inference_steps": 6}, {}, 1.5),
    ("DDPMScheduler", {"beta_schedule": "laplace", "clip_sample_range": 2.0}, {"num_inference_steps": 4}, {}, None),
    # Image to image: what the pipelines leave out of the list.
    ("PNDMScheduler", {**sd, "skip_prk_steps": True, "steps_offset": 1}, {"num_inference_steps": 10, "strength": 0.6}, {}, 1.5),
    ("PNDMScheduler", {**sd, "skip_prk_steps": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}, {"num_inference_steps": 7, "strength": 0.9}, {}, None),
    ("PNDMScheduler", {"skip_prk_steps": True, "timestep_spacing": "linspace"}, {"num_inference_steps": 8, "strength": 0.2}, {}, None),
    ("FlowMatchLCMScheduler", {"shift": 3.0}, {"num_inference_steps": 4}, {}, None),
    ("FlowMatchLCMScheduler", {"use_dynamic_shifting": True, "shift_terminal": 0.1}, {"num_inference_steps": 6, "mu": 0.95}, {}, 1.5),
    ("FlowMatchLCMScheduler", {"use_karras_sigmas": True}, {"sigmas": [1.0, 0.75, 0.5, 0.25]}, {}, None),
]


def exact(x, alpha, sigma, label):
    chosen = np.arange(len(weights)) if label < 0 else np.flatnonzero(components == label)
    variance = alpha**2 * std[chosen] ** 2 + sigma**2
    rest = x[None] - alpha * means[chosen]
    log = np.log(weights[chosen]) - 3 * np.log(variance) - (rest**2).sum(1) / (2 * variance)
    share = np.exp(log - log.max())
    share /= share.sum()
    over = share[:, None] * rest / variance[:, None]
    data = share[:, None] * means[chosen] + alpha * (std[chosen] ** 2)[:, None] * over
    return sigma * over.sum(0), data.sum(0)


def source_in_doubles(module):
    text = inspect.getsource(module).replace("torch.float32", "torch.float64").replace("np.float32", "np.float64")
    double = types.ModuleType(module.__name__ + "_double")
    double.__package__, double.__file__ = module.__package__, module.__file__
    sys.modules[double.__name__] = double
    exec(compile(text, module.__file__, "exec"), double.__dict__)
    return double


def run(module, class_name, config, timetable, options, scale, flow, start, labels, normals):
    drawn = []

    def randn_tensor(shape, generator=None, device=None, dtype=None, layout=None):
        drawn.append(next(normals))
        return torch.from_numpy(drawn[-1].reshape(shape)).to(dtype)

    module.randn_tensor = randn_tensor
    scheduler = getattr(module, class_name).from_config({"_class_name": class_name, **config})
    strength = timetable.get("strength", 1.0)
    scheduler.set_timesteps(**{key: value for key, value in timetable.items() if key != "strength"})
    if strength < 1:
        steps = timetable["num_inference_steps"]
        scheduler.timesteps = scheduler.timesteps[steps - min(int(steps * strength), steps) :]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    prediction = "flow_prediction" if flow else scheduler.config.prediction_type
    x = torch.from_numpy(start.reshape(2, 2, 1, 3))
    noise, trajectory = [], []
    for i, t in enumerate(scheduler.timesteps):
        if flow:
            sigma = float(scheduler.sigmas[i])
            alpha = 1 - sigma
        else:
            signal = float(scheduler.alphas_cumprod[int(t)])
            alpha, sigma = math.sqrt(signal), math.sqrt(1 - signal)

        def network(conditions):
            outputs = []
            for item, label in zip(x.numpy().reshape(2, 6), conditions, strict=True):
                eps, x0 = exact(item, alpha, sigma, label)
                outputs.append(
                    {"epsilon": eps, "sample": x0, "v_prediction": alpha * eps - sigma * x0, "flow_prediction": eps - x0}[prediction]
                )
            return np.array(outputs)

        output = network(labels)
        if scale is not None:
            unconditional = network([-1, -1])
            output = unconditional + scale * (output - unconditional)
        drawn.clear()
        x = scheduler.step(torch.from_numpy(output.reshape(2, 2, 1, 3)), t, x, **options).prev_sample.double()
        noise.append(drawn[0].tolist() if drawn else None)
        trajectory.append(x.numpy().reshape(2, 6).tolist())
    return scheduler, prediction, noise, trajectory


cases, counts = [], {}
for number, (class_name, config, timetable, options, scale) in enumerate(runs):
    module = importlib.import_module(getattr(diffusers, class_name).__module__)
    flow = class_name.startswith("FlowMatch")
    random = np.random.RandomState(number)
    start = np.round(random.randn(2, 6) * 256) / 256
    normals = [np.round(random.randn(2, 6) * 64) / 64 for _ in range(20)]
    labels = [int(v) for v in random.randint(-1, 3, 2)]
    results = []
    for kind, default in ((module, torch.float32), (source_in_doubles(module), torch.float64)):
        torch.set_default_dtype(default)
        results.append(run(kind, class_name, config, timetable, options, scale, flow, start, labels, iter(normals)))
    torch.set_default_dtype(torch.float32)
    (scheduler, prediction, noise, trajectory), (double, _, _, exactly) = results
    final, final64 = np.array(trajectory[-1]), np.array(exactly[-1])
    counts.setdefault(class_name, sum(case["class"] == class_name for case in recorded))
    counts[class_name] += 1
    cases.append(
        {
            "id": f"{class_name.removesuffix('Scheduler')}-{counts[class_name]:03}",
            "class": class_name,
            "config": {"_class_name": class_name, **config},
            "setTimesteps": timetable,
            "stepOptions": options,
            "scaling": "flow" if flow else "alphas_cumprod",
            "prediction": prediction,
            "modelAt": "sigma" if flow else "timestep",
            "xT": start.tolist(),
            "labels": labels,
            "guidanceScale": scale,
            "noise": noise if any(entry is not None for entry in noise) else None,
            "expected": {
                "timesteps": [float(t) for t in scheduler.timesteps],
                **({"sigmas": [float(s) for s in scheduler.sigmas]} if flow else {}),
                "initNoiseSigma": float(getattr(scheduler, "init_noise_sigma", 1.0)),
                "final": trajectory[-1],
                "trajectory": trajectory,
                "spread": 0,
            },
            "float64": {"final": exactly[-1], "distance": float(abs(final - final64).max() / abs(final).max())},
        }
    )

defaults = {
    name: {
        key: argument.default
        for key, argument in inspect.signature(getattr(diffusers, name).__init__).parameters.items()
        if key != "self"
    }
    for name in counts
    if not any(case["class"] == name for case in recorded)
}
made = f"diffusers {diffusers.__version__}, torch {torch.__version__.split('+')[0]}, NumPy {np.__version__}"
text = json.dumps({"made": made, "defaults": defaults, "cases": cases}, separators=(",", ":"))
(fixtures / "further.json").write_text(text + "\n")
