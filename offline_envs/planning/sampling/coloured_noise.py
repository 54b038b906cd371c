"""`coloured`: noise whose power falls with frequency."""

import torch
from torch import Tensor


def coloured(shape: tuple[int, ...], exponent: float, generator: torch.Generator) -> Tensor:
    """Normal numbers of variance 1 whose power along the last axis is proportional to 1/f^exponent.

    Timmer and König 1995: every frequency gets a complex normal number of its power, and the inverse Fourier
    transform adds them up. The mean over the steps has the power of the lowest frequency, 1/H.

    Args:
        shape: Shape of the result, the steps last.
        exponent: β; 0 for white noise.
        generator: Source of randomness; its device is the result's.

    Returns:
        Float32 numbers. Each series repeats itself after H steps.
    """
    steps, device = shape[-1], generator.device
    frequency = torch.fft.rfftfreq(steps, device=device).clamp(min=1 / steps)
    amplitude = frequency ** (-exponent / 2)
    # What is left of a complex number at frequency 0, and at 1/2, is its real part alone.
    times = torch.full_like(amplitude, 4.0)
    times[0] = 2.0
    if steps % 2 == 0:
        times[-1] = 2.0
    amplitude = amplitude * steps / (times * amplitude**2).sum().sqrt()
    parts = torch.randn((2, *shape[:-1], len(frequency)), generator=generator, device=device)
    parts[..., times == 2.0] *= 2**0.5
    series: Tensor = torch.fft.irfft(torch.complex(*(amplitude * parts)), n=steps)
    return series
