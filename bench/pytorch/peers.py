"""What fewstep is compared with: Show-o in PyTorch on the same weights, three ways.

R    the reference's way: transformers' Phi in float32, no cache, padded rows, the head over the whole vocabulary.
R16  the same in bfloat16.
B    the best we can write: bfloat16, prompt and text cached, no padding, only the columns that are needed, SDPA.

A process of its own: it reads one JSON request a line and answers {"ms": ..., "rss": ...}; the first line it writes is
{"ready": seconds}. Requests: {"task": "draw", "prompt": [...], "steps": 4, "guidance": 0} and
{"task": "describe", "codes": [...], "question": [...], "tokens": 64}.
pip install torch transformers safetensors numpy
"""

import argparse
import glob
import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

TEXT, END, PAD, SOI, EOI, T2I, MMU, IMAGE, MASK = 50295, 50256, 50295, 50296, 50297, 50300, 50301, 50305, 58497
VOCABULARY, WIDTH, LAYERS, HEADS, MLP, TEXT_SLOTS = 58498, 2048, 24, 32, 8192, 129


def weights_in(folder):
    state = {}
    for path in sorted(glob.glob(f"{folder}/*.safetensors")):
        state.update(load_file(path))
    return state


def prompt_ids(ids):
    return [T2I, END, *ids, END][: TEXT_SLOTS - 1] if len(ids) + 3 > TEXT_SLOTS else [T2I, END, *ids, END]


def picture_mask(ids):
    """Who sees whom [B, L, L] in rows of a prompt and a picture: prompts are causal, pictures see all but padding."""
    length = ids.shape[1]
    image = torch.arange(length) >= TEXT_SLOTS
    pads = ids == PAD
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return torch.where(image[None, :, None], ~pads[:, None, :], causal[None] & (~pads[:, None, :] | pads[:, :, None]))


def answer_mask(length, picture):
    """Who sees whom [L, L] in a row that answers: its first `picture` tokens are open to all."""
    allowed = torch.ones(length, length, dtype=torch.bool).tril()
    allowed[:, :picture] = True
    return allowed


class Reference:
    """transformers' Phi, asked with whole rows."""

    def __init__(self, folder, dtype):
        from transformers import PhiConfig, PhiForCausalLM

        config = PhiConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=MLP, num_hidden_layers=LAYERS,
            num_attention_heads=HEADS, hidden_act="gelu_new", partial_rotary_factor=0.5, rope_theta=10000.0,
            layer_norm_eps=1e-5, qk_layernorm=True, tie_word_embeddings=False, attn_implementation="sdpa",
        )
        with torch.device("meta"):
            self.model = PhiForCausalLM(config)
        self.model = self.model.to_empty(device="cpu")
        with torch.device("cpu"):
            self.model.model.rotary_emb = type(self.model.model.rotary_emb)(config)
        state = {name.removeprefix("showo."): tensor for name, tensor in weights_in(folder).items()}
        missing, extra = self.model.load_state_dict(state, strict=False)
        assert not extra and all("rotary" in name for name in missing), (missing, extra)
        self.model = self.model.to(dtype).eval()
        self.dtype = dtype

    def forward(self, ids, allowed):
        bias = torch.zeros(allowed.shape, dtype=self.dtype).masked_fill(~allowed, torch.finfo(self.dtype).min)
        positions = torch.arange(ids.shape[1])[None].expand_as(ids)
        out = self.model(input_ids=ids, attention_mask=bias[:, None], position_ids=positions, use_cache=False)
        return out.logits.float()

    def image_logits(self, prompt, guidance):
        rows = [prompt_ids(prompt)] + ([prompt_ids([])] if guidance else [])
        texts = torch.tensor([[PAD] * (TEXT_SLOTS - len(row)) + row for row in rows])
        count = len(rows)

        def ask(codes):
            cells = torch.where(codes < 0, MASK, codes + IMAGE)[None].expand(count, -1)
            edge = torch.ones(count, 1, dtype=torch.long)
            ids = torch.cat([texts, edge * SOI, cells, edge * EOI], 1)
            logits = self.forward(ids, picture_mask(ids))[:, -len(codes) - 1 : -1, IMAGE:MASK]
            return logits[0] if not guidance else (1 + guidance) * logits[0] - guidance * logits[1]

        return ask

    def describe(self, prefix, question, tokens):
        ids = prefix + question
        for _ in range(tokens):
            logits = self.forward(torch.tensor([ids]), answer_mask(len(ids), len(prefix))[None])[0, -1, :TEXT]
            ids.append(int(logits.argmax()))


class Best:
    """The same network with a cache, in as few operators as PyTorch has."""

    def __init__(self, folder, dtype):
        state = weights_in(folder)
        get = lambda name: state[f"showo.{name}"].to(dtype).contiguous()
        self.dtype = dtype
        self.embed = get("model.embed_tokens.weight")
        self.final = get("model.final_layernorm.weight"), get("model.final_layernorm.bias")
        head, bias = get("lm_head.weight"), get("lm_head.bias")
        self.image_head = head[IMAGE:MASK].clone(), bias[IMAGE:MASK].clone()
        self.text_head = head[:TEXT].clone(), bias[:TEXT].clone()
        del head, bias
        self.layers = []
        for l in range(LAYERS):
            part = lambda name: (get(f"model.layers.{l}.{name}.weight"), get(f"model.layers.{l}.{name}.bias"))
            # The four products that read the norm's output are one.
            joined = [part(f"self_attn.{name}") for name in ("q_proj", "k_proj", "v_proj")] + [part("mlp.fc1")]
            wide = torch.cat([w for w, _ in joined]), torch.cat([b for _, b in joined])
            self.layers.append(
                dict(norm=part("input_layernorm"), wide=wide, qn=part("self_attn.q_layernorm"),
                     kn=part("self_attn.k_layernorm"), dense=part("self_attn.dense"), fc2=part("mlp.fc2"))
            )
        frequency = 10000.0 ** (-torch.arange(16) / 16)
        angles = torch.arange(2048)[:, None] * frequency[None]
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)

    def rotate(self, x, at):
        cos, sin = (t[at : at + x.shape[1]][None, :, None] for t in (self.cos, self.sin))
        a, b, rest = x[..., :16], x[..., 16:32], x[..., 32:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)

    def body(self, ids, at, cache, allowed=None):
        """Hidden states [B, M, D]; cache [layer][k, v] [B, T, H, d] is written from row `at` on."""
        batch, m = ids.shape
        x = self.embed[ids]
        for layer, (keys, values) in zip(self.layers, cache):
            h = F.layer_norm(x, (WIDTH,), *layer["norm"], 1e-5)
            q, k, v, wide = F.linear(h, *layer["wide"]).split([WIDTH, WIDTH, WIDTH, MLP], -1)
            shape = (batch, m, HEADS, WIDTH // HEADS)
            q = self.rotate(F.layer_norm(q.reshape(shape), (64,), *layer["qn"], 1e-5), at)
            keys[:, at : at + m] = self.rotate(F.layer_norm(k.reshape(shape), (64,), *layer["kn"], 1e-5), at)
            values[:, at : at + m] = v.reshape(shape)
            seen = slice(0, at + m)
            mixed = F.scaled_dot_product_attention(
                q.transpose(1, 2), keys[:, seen].transpose(1, 2), values[:, seen].transpose(1, 2), attn_mask=allowed
            )
            mixed = mixed.transpose(1, 2).reshape(batch, m, WIDTH)
            x = x + F.linear(mixed, *layer["dense"]) + F.linear(F.gelu(wide, approximate="tanh"), *layer["fc2"])
        return F.layer_norm(x, (WIDTH,), *self.final, 1e-5)

    def cache(self, batch, rows):
        empty = lambda: torch.zeros(batch, rows, HEADS, WIDTH // HEADS, dtype=self.dtype)
        return [(empty(), empty()) for _ in range(LAYERS)]

    def image_logits(self, prompt, guidance):
        asked, unasked = prompt_ids(prompt), prompt_ids([])
        start, count = len(asked), 2 if guidance else 1
        cache = self.cache(count, start + 1026)
        causal = torch.ones(start, start, dtype=torch.bool).tril()
        one = [(k[:1], v[:1]) for k, v in cache]
        self.body(torch.tensor([asked]), 0, one, causal)
        allowed = None
        if guidance:
            # The empty prompt lies at the end of its rows; what is before it is hidden.
            other = [(k[1:], v[1:]) for k, v in cache]
            hidden = start - len(unasked)
            padded = torch.tensor([[PAD] * hidden + unasked])
            mask = causal.clone()
            mask[hidden:, :hidden] = False
            self.body(padded, 0, other, mask)

        def ask(codes):
            nonlocal allowed
            cells = torch.where(codes < 0, MASK, codes + IMAGE)
            ids = torch.cat([torch.tensor([SOI]), cells, torch.tensor([EOI])])[None].expand(count, -1)
            if guidance and allowed is None:
                allowed = torch.ones(count, 1, 1, start + ids.shape[1], dtype=torch.bool)
                allowed[1, ..., : start - len(unasked)] = False
            hidden = self.body(ids, start, cache, allowed)[:, 1:-1]
            logits = F.linear(hidden, *self.image_head).float()
            return logits[0] if not guidance else (1 + guidance) * logits[0] - guidance * logits[1]

        return ask

    def describe(self, prefix, question, tokens):
        ids = prefix + question
        cache = self.cache(1, len(ids) + tokens)
        hidden = self.body(torch.tensor([ids]), 0, cache, answer_mask(len(ids), len(prefix)))
        for i in range(tokens):
            token = F.linear(hidden[:, -1], *self.text_head).argmax(-1, keepdim=True)
            if i + 1 < tokens:
                hidden = self.body(token, len(ids) + i, cache)


class Pixels:
    """MAGVIT-v2's decoder."""

    def __init__(self, folder, dtype):
        self.state = {n: t.to(dtype) for n, t in weights_in(folder).items() if n.startswith("decoder.")}
        self.dtype = dtype

    def conv(self, name, x):
        weight = self.state[f"decoder.{name}.weight"]
        return F.conv2d(x, weight, self.state[f"decoder.{name}.bias"], padding=weight.shape[-1] // 2)

    def norm(self, name, x):
        return F.group_norm(x, 32, self.state[f"decoder.{name}.weight"], self.state[f"decoder.{name}.bias"], 1e-6)

    def block(self, name, x):
        h = self.conv(f"{name}.conv1", F.silu(self.norm(f"{name}.norm1", x)))
        h = self.conv(f"{name}.conv2", F.silu(self.norm(f"{name}.norm2", h)))
        return h + (self.conv(f"{name}.nin_shortcut", x) if f"decoder.{name}.nin_shortcut.weight" in self.state else x)

    def attend(self, name, x):
        h = self.norm(f"{name}.norm", x)
        q, k, v = (self.conv(f"{name}.{part}", h).flatten(2).transpose(1, 2) for part in "qkv")
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        return x + self.conv(f"{name}.proj_out", mixed)

    def decode(self, codes):
        side = math.isqrt(len(codes))
        bits = (codes[:, None] >> torch.arange(12, -1, -1)) & 1
        h = (bits * 2 - 1).T.reshape(1, 13, side, side).to(self.dtype)
        h = self.conv("conv_in", self.conv("post_quant_conv", h))
        h = self.block("mid.block_2", self.attend("mid.attn_1", self.block("mid.block_1", h)))
        for level, blocks in zip((4, 3, 2, 1, 0), (3, 4, 3, 4, 4)):
            for i in range(blocks):
                h = self.block(f"up.{level}.block.{i}", h)
            if level:
                h = self.conv(f"up.{level}.upsample.conv", F.interpolate(h, scale_factor=2))
        return self.conv("conv_out", F.silu(self.norm("norm_out", h)))


def draw(model, pixels, prompt, steps, guidance, cells):
    """Masked denoising with a cosine schedule; then the picture."""
    ask = model.image_logits(prompt, guidance)
    codes = torch.full((cells,), -1)
    temperature = 1.0
    for step in range(steps):
        p = ask(codes).softmax(-1)
        sampled = torch.where(codes < 0, torch.multinomial(p, 1)[:, 0], codes)
        sure = p.gather(1, sampled[:, None])[:, 0].masked_fill(codes >= 0, torch.finfo(p.dtype).max)
        t = (step + 1) / steps
        unknown = int((codes < 0).sum())
        masked = max(1, min(unknown - 1, int(cells * math.cos(math.pi * t / 2))))
        temperature *= 1 - t
        noise = -torch.log(-torch.log(torch.rand(cells).clamp(1e-20, 1 - 1e-7)))
        score = sure.clamp(1e-20).log() + temperature * noise
        codes = torch.where(score < score.sort().values[masked], -1, sampled)
    pixels.decode(sampled)


def serve(begun, answer, out=sys.stdout):
    """Says that it is ready, then answers one JSON request a line with milliseconds and the most bytes ever resident."""
    print(json.dumps({"ready": time.perf_counter() - begun}), file=out, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        answer(request)
        ms = 1000 * (time.perf_counter() - start)
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"ms": ms, "rss": rss}), file=out, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--showo", required=True)
    parser.add_argument("--magvit", required=True)
    parser.add_argument("--peer", choices=["R", "R16", "B"], required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--compile", action="store_true", help="torch.compile the body of B")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    start = time.perf_counter()
    dtype = torch.float32 if options.peer == "R" else torch.bfloat16
    model = (Best if options.peer == "B" else Reference)(options.showo, dtype)
    if options.compile and options.peer == "B":
        model.body = torch.compile(model.body, dynamic=True)
    with open(f"{options.showo}/config.json") as file:
        cells = json.load(file)["num_vq_tokens"]
    pixels = Pixels(options.magvit, dtype)
    def answer(request):
        if request["task"] == "draw":
            draw(model, pixels, request["prompt"], request["steps"], request["guidance"], cells)
        else:
            prefix = [MMU, SOI, *(code + IMAGE for code in request["codes"]), EOI]
            model.describe(prefix, [END, *request["question"]], request["tokens"])

    serve(start, answer)


if __name__ == "__main__":
    main()
