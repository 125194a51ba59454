"""What fewstep's next-scale networks are compared with: VAR and CoDe in PyTorch, three ways.

R    the reference's way in float32: rows asked and unasked in one batch, keys and values joined scale by scale and kept to
     the last, modulations made anew at every scale, logits of the refiner for its whole prefix, a full sort to draw.
R16  the same under autocast to bfloat16, weights resident in float32, as the reference runs on its GPU.
B    the best we can write: bfloat16 weights, modulations once, caches in place and only as long as they are read, logits
     for the tokens that are drawn, the k most likely found without sorting all.

Weights are made up: sizes decide the time. A process of its own, asked one JSON request a line:
{"depths": [30, 16], "drafted": 8, "guidance": 1.5} -> {"ms": ..., "rss": ...}; without "drafted" the first draws alone. The
networks alone are timed, as in the paper. pip install torch numpy
"""

import argparse
import math
import time

import torch
import torch.nn.functional as F
from peers import serve

SIDES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
OFFSETS = [0]
for side in SIDES:
    OFFSETS.append(OFFSETS[-1] + side * side)
LENGTH, CODES, Z, CLASSES, LAST = OFFSETS[-1], 4096, 32, 1000, len(SIDES) - 1
TOP_K, TOP_P = 900, 0.95


class Network:
    """One transformer; `fast` leaves out what changes nothing."""

    def __init__(self, depth, dtype, fast):
        width = 64 * depth
        self.width, self.heads, self.fast, self.dtype = width, depth, fast, dtype

        def made(*shape):
            spread = math.sqrt(3 / (shape[-1] if len(shape) > 1 else 300))
            return torch.empty(shape, dtype=dtype).uniform_(-spread, spread)

        self.classes, self.start = made(CLASSES + 1, width), made(1, 1, width)
        self.places, self.levels = made(1, LENGTH, width), made(len(SIDES), width)
        self.word = made(width, Z), made(width)
        self.blocks = [
            dict(mods=(made(6 * width, width), made(6 * width)), qkv=(made(3 * width, width), made(3 * width)),
                 scale=torch.full((1, 1, depth, 1), math.log(4.0), dtype=dtype), proj=(made(width, width), made(width)),
                 fc1=(made(4 * width, width), made(4 * width)), fc2=(made(width, 4 * width), made(width)))
            for _ in range(depth)
        ]
        self.head_mods, self.head = (made(2 * width, width), made(2 * width)), (made(CODES, width), made(CODES))
        level = torch.cat([torch.full((side * side,), s) for s, side in enumerate(SIDES)])
        self.level = level
        self.lp = self.levels[level][None] + self.places

    def begin(self, label, scales):
        self.cond = self.classes[torch.tensor([label, CLASSES])]
        self.mods = None
        if self.fast:
            active = F.silu(self.cond)
            self.mods = [F.linear(active, *b["mods"]).view(2, 1, 6, -1).unbind(2) for b in self.blocks]
            self.head_mod = F.linear(active, *self.head_mods).view(2, 1, 2, -1).unbind(2)
            rows = OFFSETS[scales - 1]
            shape = (2, self.heads, rows, 64)
            self.cache = [(torch.empty(shape, dtype=self.dtype), torch.empty(shape, dtype=self.dtype)) for _ in self.blocks]
        else:
            self.cache = [None] * len(self.blocks)
        self.seen = 0

    def tokens(self, maps, start, end):
        """Tokens [2, end-start, C]: the class at place 0, pooled maps [1, n, Z] behind it."""
        parts = [self.cond[:, None] + self.start] if start == 0 else []
        if maps is not None:
            parts.append(F.linear(maps.to(self.dtype), *self.word).expand(2, -1, -1))
        return torch.cat(parts, 1) + self.lp[:, start:end]

    def logits(self, maps, start, end, wanted, keep):
        """Logits [2, ..., V] of the last `wanted` tokens; several scales at once do not see finer ones."""
        x = self.tokens(maps, start, end)
        m = end - start
        mask = None
        if m > wanted:
            mask = torch.where(self.level[start:end, None] >= self.level[None, :end], 0.0, -math.inf).to(self.dtype)
        for i, block in enumerate(self.blocks):
            mods = self.mods[i] if self.fast else F.linear(F.silu(self.cond), *block["mods"]).view(2, 1, 6, -1).unbind(2)
            gate1, gate2, scale1, scale2, shift1, shift2 = mods
            h = F.layer_norm(x, (self.width,), eps=1e-6) * (1 + scale1) + shift1
            q, k, v = F.linear(h, *block["qkv"]).view(2, m, 3, self.heads, 64).unbind(2)
            q = F.normalize(q, dim=-1) * block["scale"].clamp_max(math.log(100)).exp()
            q, k, v = (t.transpose(1, 2) for t in (q, F.normalize(k, dim=-1), v))
            if not self.fast:
                if self.cache[i] is not None:
                    k, v = torch.cat([self.cache[i][0], k], 2), torch.cat([self.cache[i][1], v.to(self.cache[i][1].dtype)], 2)
                self.cache[i] = k, v
            elif keep:
                keys, values = self.cache[i]
                keys[:, :, start:end], values[:, :, start:end] = k, v
                k, v = keys[:, :, :end], values[:, :, :end]
            elif start:
                k, v = (torch.cat([old[:, :, :start], new], 2) for old, new in zip(self.cache[i], (k, v)))
            q, k = q.to(v.dtype), k.to(v.dtype)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask.to(v.dtype), scale=1.0)
            x = x + gate1 * F.linear(mixed.transpose(1, 2).reshape(2, m, -1), *block["proj"])
            h = F.layer_norm(x, (self.width,), eps=1e-6) * (1 + scale2) + shift2
            x = x + gate2 * F.linear(F.gelu(F.linear(h, *block["fc1"]), approximate="tanh"), *block["fc2"])
        mods = self.head_mod if self.fast else F.linear(F.silu(self.cond), *self.head_mods).view(2, 1, 2, -1).unbind(2)
        if self.fast:
            x = x[:, -wanted:]
        out = F.linear(F.layer_norm(x, (self.width,), eps=1e-6) * (1 + mods[0]) + mods[1], *self.head).float()
        return out[:, -wanted:]

    def end(self):
        self.cache = None


def pick(logits, fast):
    """One code of each row [n, V]: the k most likely, then those that hold the mass p."""
    if fast:
        best, ids = logits.topk(TOP_K, dim=-1)
        mass = best.softmax(-1).cumsum(-1)
        best = best.masked_fill((mass - best.softmax(-1)) >= TOP_P, -math.inf)
        return ids.gather(1, torch.multinomial(best.softmax(-1), 1))[:, 0]
    logits = logits.masked_fill(logits < logits.topk(TOP_K, dim=-1)[0].amin(-1, keepdim=True), -math.inf)
    ordered, ids = logits.sort(dim=-1, descending=False)
    drop = ordered.softmax(-1).cumsum(-1) <= 1 - TOP_P
    drop[..., -1:] = False
    logits = logits.masked_fill(drop.scatter(1, ids, drop), -math.inf)
    return torch.multinomial(logits.softmax(-1), 1)[:, 0]


class Picture:
    """The sum of all scales' maps so far."""

    def __init__(self):
        bound = 1 / math.sqrt(9 * Z)
        self.codes = torch.empty(CODES, Z).normal_()
        self.phi = [(torch.empty(Z, Z, 3, 3).uniform_(-bound, bound), torch.zeros(Z)) for _ in range(4)]
        self.which = (0, 0, 1, 1, 1, 2, 2, 3, 3, 3)

    def begin(self):
        self.sum, self.pooled = torch.zeros(1, Z, SIDES[-1], SIDES[-1]), []

    def add(self, s, ids):
        h = self.codes[ids].T.reshape(1, Z, SIDES[s], SIDES[s])
        if s < LAST:
            h = F.interpolate(h, size=(SIDES[-1], SIDES[-1]), mode="bicubic")
        self.sum += 0.5 * h + 0.5 * F.conv2d(h, *self.phi[self.which[s]], padding=1)
        if s < LAST:
            small = F.adaptive_avg_pool2d(self.sum, (SIDES[s + 1], SIDES[s + 1]))
            self.pooled.append(small.flatten(2).transpose(1, 2))


def draw(drafter, refiner, picture, drafted, guidance, fast):
    picture.begin()
    model, scales = drafter, drafted or len(SIDES)
    model.begin(207, scales)
    for s, side in enumerate(SIDES):
        handed = bool(drafted) and s == drafted
        if handed:
            drafter.end()
            model = refiner
            model.begin(207, len(SIDES))
        start = 0 if handed else OFFSETS[s]
        maps = torch.cat(picture.pooled, 1) if handed else picture.pooled[-1] if s else None
        wanted = side * side
        keep = s < LAST and (model is refiner or s + 1 < scales)
        asked, unasked = model.logits(maps, start, OFFSETS[s + 1], wanted, keep)
        t = guidance * s / LAST
        picture.add(s, pick((1 + t) * asked - t * unasked, fast))
    model.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", choices=["R", "R16", "B"], required=True)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    begun = time.perf_counter()
    fast = options.peer == "B"
    dtype = torch.bfloat16 if fast else torch.float32
    networks = {}
    picture = Picture()

    def network(depth):
        if depth not in networks:
            networks[depth] = Network(depth, dtype, fast)
        return networks[depth]

    def answer(request):
        drafter, refiner = map(network, (request["depths"] * 2)[:2])
        with torch.autocast("cpu", torch.bfloat16, enabled=options.peer == "R16"):
            draw(drafter, refiner, picture, request.get("drafted", 0), request.get("guidance", 1.5), fast)

    serve(begun, answer)


if __name__ == "__main__":
    main()
