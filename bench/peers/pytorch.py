"""The benchmarks of `deno task bench`, written with PyTorch, on one thread.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python3 bench/peers/pytorch.py step
    (or matmul, or ops)

Prints the same figures: milliseconds a step, GFLOP/s, 10^9 elements a second.
"""

import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)


def measure(f, budget=0.4):
    """Best and median seconds of a call, after as long a warm-up."""
    end, calls, start = time.perf_counter() + budget, 0, time.perf_counter()
    while time.perf_counter() < end:
        f()
        calls += 1
    repeats = max(1, round(0.002 / ((time.perf_counter() - start) / calls)))
    samples = []
    end = time.perf_counter() + budget
    while time.perf_counter() < end or len(samples) < 3:
        start = time.perf_counter()
        for _ in range(repeats):
            f()
        samples.append((time.perf_counter() - start) / repeats)
    return min(samples), statistics.median(samples)


def matmul():
    shapes = [(n, n, n) for n in (64, 128, 256, 384, 512, 1024)]
    shapes += [(1024, 512, 128), (1024, 128, 512), (1024, 128, 128), (1024, 1536, 384)]
    for m, n, k in shapes:
        for layout in ("NN", "NT", "TN"):
            a = torch.randn(k, m).t() if layout[0] == "T" else torch.randn(m, k)
            b = torch.randn(n, k).t() if layout[1] == "T" else torch.randn(k, n)
            best, median = measure(lambda: torch.mm(a, b))
            flops = 2 * m * n * k / 1e9
            name = f"{m}x{n}x{k}"
            print(f"{name:16} {layout}  {flops / best:6.1f} best {flops / median:6.1f} median GFLOP/s")


def ops():
    x = torch.randn(512, 128)
    weight, bias = torch.ones(128), torch.zeros(128)
    parameter = torch.randn(65536, requires_grad=True)
    parameter.grad = torch.randn(65536)
    adam = torch.optim.Adam([parameter], lr=1e-3)
    kernels = {
        "scale": lambda: x * 1.5,
        "add": lambda: x + x,
        "exp": lambda: x.exp(),
        "tanh": lambda: x.tanh(),
        "gelu (tanh)": lambda: F.gelu(x, approximate="tanh"),
        "gelu (erf)": lambda: F.gelu(x),
        "softmax": lambda: F.softmax(x, -1),
        "layerNorm": lambda: F.layer_norm(x, (128,), weight, bias),
        "sum of all": lambda: x.sum(),
        "sum of rows": lambda: x.sum(1),
        "sum of columns": lambda: x.sum(0),
        "transpose": lambda: x.t().contiguous(),
        "dropout": lambda: F.dropout(x, 0.1),
        "adam": lambda: adam.step(),
    }
    for name, f in kernels.items():
        best, median = measure(f)
        print(f"{name:16} {65536 / best / 1e9:6.2f} best {65536 / median / 1e9:6.2f} median 10^9 elements/s")


LAYERS, WIDTH, HEADS, SEQUENCE, BATCH, VOCABULARY = 4, 128, 4, 64, 16, 256


class Block(torch.nn.Module):
    """A pre-LN transformer layer."""

    def __init__(self):
        super().__init__()
        self.norm1 = torch.nn.LayerNorm(WIDTH)
        self.packed = torch.nn.Linear(WIDTH, 3 * WIDTH)
        self.output = torch.nn.Linear(WIDTH, WIDTH)
        self.norm2 = torch.nn.LayerNorm(WIDTH)
        self.expand = torch.nn.Linear(WIDTH, 4 * WIDTH)
        self.project = torch.nn.Linear(4 * WIDTH, WIDTH)
        mask = torch.triu(torch.ones(SEQUENCE, SEQUENCE, dtype=torch.bool), 1)
        self.register_buffer("mask", mask)

    def forward(self, x):
        packed = self.packed(self.norm1(x)).view(BATCH, SEQUENCE, 3, HEADS, WIDTH // HEADS)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
        probabilities = scores.masked_fill(self.mask, -math.inf).softmax(-1)
        mixed = (probabilities @ value).transpose(1, 2).reshape(BATCH, SEQUENCE, WIDTH)
        x = x + self.output(mixed)
        return x + self.project(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))


class Gpt(torch.nn.Module):
    """Learned positions, untied head without bias."""

    def __init__(self):
        super().__init__()
        self.tokens = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.positions = torch.nn.Embedding(SEQUENCE, WIDTH)
        self.blocks = torch.nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = torch.nn.LayerNorm(WIDTH)
        self.head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(SEQUENCE))
        return self.head(self.norm(self.blocks(x)))


def step():
    torch.manual_seed(0)
    gpt = Gpt()
    adam = torch.optim.Adam(gpt.parameters(), lr=1e-3)
    text = torch.randint(0, VOCABULARY, (BATCH, SEQUENCE + 1))
    durations = []
    for _ in range(25):
        start = time.perf_counter()
        logits = gpt(text[:, :-1]).reshape(-1, VOCABULARY)
        loss = F.cross_entropy(logits, text[:, 1:].reshape(-1))
        adam.zero_grad()
        loss.backward()
        adam.step()
        loss.item()
        durations.append(1e3 * (time.perf_counter() - start))
    counted = durations[5:]
    size = sum(p.numel() for p in gpt.parameters())
    print(f"msPerStep {statistics.median(counted):.1f}  msMin {min(counted):.1f}  parameters {size}")


benchmarks = {"matmul": matmul, "ops": ops, "step": step}
if len(sys.argv) != 2 or sys.argv[1] not in benchmarks:
    sys.exit(f"usage: pytorch.py {' | '.join(benchmarks)}")
benchmarks[sys.argv[1]]()
