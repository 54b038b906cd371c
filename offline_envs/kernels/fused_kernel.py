"""The Triton kernel of `fused_gaussian`: a tile of rows goes through all layers of one member.

Importing it needs Triton. A tensor of Triton has powers of two as sizes and cannot be cut, so the values of a
layer are a tuple of parts, pairs (first column, width): 200 units are 64 + 64 + 64 + 16, the last 8 of them
zeros. A layer is the sum of small products over parts. Values stay in registers; blocks of weights come from
the L2 cache, where all tiles of a member find them.

Weights are read where the model holds them and rounded on the way. A packed copy would have to follow every
change in place, and making one at each step would be a dozen launches beside this one.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["n_rows"])  # or other numbers of rows would be compiled again
def predict_tile(
    inputs,  # obs (B, d), action (B, k)
    normalizer,  # centre and scale, (d + k,)
    trunk,  # weight (N, i, o) and bias (N, 1, o) of each hidden layer
    mean_head,  # weight and bias; rows are HEAD_WIDTH apart
    logvar_head,
    bounds,  # low and high, (1 + d,)
    members,  # (M,), or None for all
    outputs,  # mean and deviation, (M, B, 1 + d)
    n_rows,
    OBS_DIM: tl.constexpr,
    WIDTHS: tl.constexpr,  # of the inputs, of each hidden layer, and of the outputs
    OFFSETS: tl.constexpr,  # parts before those of each of these, and of all
    STARTS: tl.constexpr,  # first column of each part
    SIZES: tl.constexpr,  # columns of each part
    HEAD_WIDTH: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE: tl.constexpr,
):
    """Write mean and deviation of the rows of one tile, as predicted by one member."""
    rows = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    place = tl.program_id(1).to(tl.int64)
    member = place if members is None else tl.load(members + place)
    values = standardised(
        inputs, normalizer, rows, n_rows, OBS_DIM, WIDTHS, OFFSETS, STARTS, SIZES, PRECISION
    )
    DEPTH: tl.constexpr = len(WIDTHS) - 2
    for i in tl.static_range(DEPTH):
        values = hidden(values, trunk[i], member, WIDTHS, OFFSETS, STARTS, SIZES, i, PRECISION, TILE)
    # The last product is finer than bfloat16: it is the cheapest, and means depend on it the most.
    FINE: tl.constexpr = "float32" if PRECISION == "float32" else "tf32"
    N_OUTPUTS: tl.constexpr = WIDTHS[DEPTH + 1]
    mean_layer = of_member(mean_head, member, WIDTHS[DEPTH], HEAD_WIDTH)
    logvar_layer = of_member(logvar_head, member, WIDTHS[DEPTH], HEAD_WIDTH)
    FIRST: tl.constexpr = OFFSETS[DEPTH + 1]
    N_PARTS: tl.constexpr = OFFSETS[DEPTH + 2] - FIRST
    for i in tl.static_range(N_PARTS):
        mean = product(values, mean_layer, WIDTHS, OFFSETS, STARTS, SIZES, DEPTH, i, HEAD_WIDTH, FINE, TILE)
        logvar = product(
            values, logvar_layer, WIDTHS, OFFSETS, STARTS, SIZES, DEPTH, i, HEAD_WIDTH, FINE, TILE
        )
        columns = STARTS[FIRST + i] + tl.arange(0, SIZES[FIRST + i])
        inside = (rows < n_rows)[:, None] & (columns < N_OUTPUTS)[None]
        places = (place * n_rows + rows)[:, None] * N_OUTPUTS + columns[None]
        tl.store(outputs[0] + places, mean, inside)
        tl.store(outputs[1] + places, deviation(logvar, bounds, columns, N_OUTPUTS), inside)


@triton.jit
def standardised(
    inputs,
    normalizer,
    rows,
    n_rows,
    OBS_DIM: tl.constexpr,
    WIDTHS: tl.constexpr,
    OFFSETS: tl.constexpr,
    STARTS: tl.constexpr,
    SIZES: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Parts of the standardised (obs, action) of some rows; zeros beyond the last row and column."""
    WIDTH: tl.constexpr = WIDTHS[0]
    values = ()
    N_PARTS: tl.constexpr = OFFSETS[1]
    for i in tl.static_range(N_PARTS):
        columns = STARTS[i] + tl.arange(0, SIZES[i])
        of_obs, exists = columns < OBS_DIM, columns < WIDTH
        obs = inputs[0] + rows[:, None] * OBS_DIM + columns[None]
        action = inputs[1] + rows[:, None] * (WIDTH - OBS_DIM) + (columns[None] - OBS_DIM)
        within = (rows < n_rows)[:, None]
        # Each is zero where the other is.
        raw = tl.load(obs, within & of_obs[None], 0.0)
        raw += tl.load(action, within & (exists & (columns >= OBS_DIM))[None], 0.0)
        centre = tl.load(normalizer[0] + columns, exists, 0.0)
        scale = tl.load(normalizer[1] + columns, exists, 1.0)
        values = values + (rounded((raw - centre[None]) / scale[None], PRECISION),)
    return values


@triton.jit
def of_member(layer, member, N_IN: tl.constexpr, N_OUT: tl.constexpr):
    """Weight and bias of one member."""
    return layer[0] + member * (N_IN * N_OUT), layer[1] + member * N_OUT


@triton.jit
def hidden(
    values,
    layer,
    member,
    WIDTHS: tl.constexpr,
    OFFSETS: tl.constexpr,
    STARTS: tl.constexpr,
    SIZES: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE: tl.constexpr,
):
    """Parts of the values of hidden layer DEPTH, after SiLU, from those of the layer before."""
    N_OUT: tl.constexpr = WIDTHS[DEPTH + 1]
    layer = of_member(layer, member, WIDTHS[DEPTH], N_OUT)
    N_PARTS: tl.constexpr = OFFSETS[DEPTH + 2] - OFFSETS[DEPTH + 1]
    activated = ()
    for i in tl.static_range(N_PARTS):
        total = product(values, layer, WIDTHS, OFFSETS, STARTS, SIZES, DEPTH, i, N_OUT, PRECISION, TILE)
        activated = activated + (rounded(total * tl.sigmoid(total), PRECISION),)
    return activated


@triton.jit
def product(
    values,
    layer,
    WIDTHS: tl.constexpr,
    OFFSETS: tl.constexpr,
    STARTS: tl.constexpr,
    SIZES: tl.constexpr,
    DEPTH: tl.constexpr,
    PART: tl.constexpr,
    STRIDE: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE: tl.constexpr,
):
    """One part of the outputs of layer DEPTH before SiLU, float32, from all parts of its inputs."""
    FIRST: tl.constexpr = OFFSETS[DEPTH]
    N_PARTS: tl.constexpr = OFFSETS[DEPTH + 1] - FIRST
    OUT: tl.constexpr = OFFSETS[DEPTH + 1] + PART
    SIZE: tl.constexpr = SIZES[OUT]
    # Three products of TF32 are as exact as one of float32, and several times faster.
    NAME: tl.constexpr = "tf32x3" if PRECISION == "float32" else "tf32"
    columns = STARTS[OUT] + tl.arange(0, SIZE)
    exists = columns < WIDTHS[DEPTH + 1]
    total = tl.zeros((TILE, SIZE), tl.float32) + tl.load(layer[1] + columns, exists, 0.0)[None]
    for i in tl.static_range(N_PARTS):
        units = STARTS[FIRST + i] + tl.arange(0, SIZES[FIRST + i])
        inside = (units < WIDTHS[DEPTH])[:, None] & exists[None]
        block = tl.load(layer[0] + units[:, None] * STRIDE + columns[None], inside, 0.0)
        factor = rounded(block, PRECISION)
        total = tl.dot(values[i].to(factor.dtype), factor, total, input_precision=NAME)
    return total


@triton.jit
def rounded(values, PRECISION: tl.constexpr):
    """What enters a product: float32 as it is, rounded to the nearest TF32, or bfloat16."""
    if PRECISION == "bfloat16":
        return values.to(tl.bfloat16)
    elif PRECISION == "tf32":
        # Tensor cores cut the last 13 bits off, which makes every factor smaller.
        bits = (values.to(tl.int32, bitcast=True) + 0x1000) & -0x2000
        return tl.where(values == values, bits.to(tl.float32, bitcast=True), values)
    else:
        return values


@triton.jit
def deviation(logvar, bounds, columns, N_OUTPUTS: tl.constexpr):
    """As `LogVarianceBounds.std`."""
    low = tl.load(bounds[0] + columns, columns < N_OUTPUTS, 0.0)[None]
    high = tl.load(bounds[1] + columns, columns < N_OUTPUTS, 0.0)[None]
    return tl.sqrt(tl.exp(low) + tl.exp(high) * tl.sigmoid(logvar - high))
