"""The reference repositories themselves, unchanged, from a checkout on this disk.

showo   a checkout of Show-o or Show-o Turbo (its `models` and `training`), on the weights of `fewstep synth`:
        checkouts.py showo PATH --showo FOLDER --magvit FOLDER
code    a checkout of CoDe (its `models`), on weights as it makes them: checkouts.py code PATH

The same requests and answers as peers.py and var_peers.py. Show-o's code wants transformers 4.41, diffusers and einops, CoDe's
huggingface_hub and scipy. float32 as on any machine without a GPU; --bfloat16 casts Show-o, and runs CoDe under autocast.
"""

import argparse
import json
import sys
import tempfile
import time
from types import SimpleNamespace

import torch

from peers import END, EOI, IMAGE, MASK, MMU, PAD, SOI, TEXT, TEXT_SLOTS, answer_mask, picture_mask, prompt_ids, serve, weights_in


class Showo:
    def __init__(self, options):
        sys.path.insert(0, options.path)
        from models import MAGVITv2, Showo as Network
        from models.sampling import cosine_schedule

        self.cosine = cosine_schedule
        phi = dict(
            model_type="phi", architectures=["PhiForCausalLM"], vocab_size=51200, hidden_size=2048, intermediate_size=8192,
            num_hidden_layers=24, num_attention_heads=32, hidden_act="gelu_new", partial_rotary_factor=0.5,
            qk_layernorm=True, layer_norm_eps=1e-5, tie_word_embeddings=False, max_position_embeddings=2048,
        )
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/config.json", "w") as file:
                json.dump(phi, file)
            self.network = Network(
                w_clip_vit=False, vocab_size=58498, llm_vocab_size=TEXT, llm_model_path=folder, codebook_size=8192,
                num_vq_tokens=256, load_from_showo=True,
            )
        self.network.load_state_dict(weights_in(options.showo), strict=False)
        self.dtype = torch.bfloat16 if options.bfloat16 else torch.float32
        self.network = self.network.to(self.dtype).eval()
        self.magvit = MAGVITv2().eval()
        self.magvit.load_state_dict(weights_in(options.magvit), strict=False)
        showo = SimpleNamespace(num_vq_tokens=256, num_new_special_tokens=10, llm_vocab_size=TEXT)
        preprocessing = SimpleNamespace(max_seq_length=TEXT_SLOTS - 1)
        self.config = SimpleNamespace(model=SimpleNamespace(showo=showo), dataset=SimpleNamespace(preprocessing=preprocessing))

    def rows(self, prompt):
        ids = prompt_ids(prompt)
        row = [PAD] * (TEXT_SLOTS - len(ids)) + ids + [SOI] + [MASK] * 256 + [EOI]
        return torch.tensor([row])

    def bias(self, allowed):
        """What its own mask functions make, which differ from version to version."""
        return torch.zeros(allowed.shape, dtype=self.dtype).masked_fill(~allowed, torch.finfo(self.dtype).min)

    def answer(self, request):
        if request["task"] == "draw":
            guidance = request["guidance"]
            asked, unasked = self.rows(request["prompt"]), self.rows([])
            both = torch.cat([asked, unasked]) if guidance else asked
            mask = self.bias(picture_mask(both)[:, None])
            codes = self.network.t2i_generate(
                input_ids=asked, uncond_input_ids=unasked if guidance else None, attention_mask=mask, guidance_scale=guidance,
                temperature=1.0, timesteps=request["steps"], noise_schedule=self.cosine, config=self.config,
            )
            self.magvit.decode_code(codes.clamp(0, 8191))
            return
        codes = [code + IMAGE for code in request["codes"]]
        ids = torch.tensor([[MMU, SOI, *codes, EOI, END, *request["question"]]])
        mask = self.bias(answer_mask(ids.shape[1], len(codes) + 3)[None, None])
        self.network.mmu_generate(ids, attention_mask=mask, max_new_tokens=request["tokens"], top_k=1)


class Code:
    def __init__(self, options):
        sys.path.insert(0, options.path)
        from models import build_vae_var

        self.build, self.networks, self.autocast = build_vae_var, {}, options.bfloat16

    def network(self, depth):
        if depth not in self.networks:
            self.networks[depth] = self.build(device="cpu", depth=depth, flash_if_available=False, fused_if_available=False)
            vae, var = self.networks[depth]
            # It leaves much of itself uninitialised, for a file to fill.
            for weight in (*vae.parameters(), *var.parameters()):
                weight.normal_(0, 0.02) if weight.dim() > 1 else weight.zero_()
            # Networks alone are timed: the pixels are left out.
            vae.fhat_to_img = torch.clone
        return self.networks[depth][1].eval()

    def answer(self, request):
        first, *others = [self.network(depth) for depth in request["depths"]]
        how = dict(B=1, label_B=torch.tensor([207]), cfg=request["guidance"], top_p=0.95)
        drafted = request.get("drafted")
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            if not drafted:
                first.autoregressive_infer_cfg(**how, top_k=900)
                return
            how.update(top_k=[900] * 10, temp=[1.0] * 10)
            f_hat, tokens = first.autoregressive_infer_cfg_draft(**how, exit_num=drafted)
            others[0].autoregressive_infer_cfg_refine(**how, draft=tokens, f_hat=f_hat, entry_num=drafted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=["showo", "code"])
    parser.add_argument("path", help="the checkout")
    parser.add_argument("--showo")
    parser.add_argument("--magvit")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--bfloat16", action="store_true")
    options = parser.parse_args()
    # What the repositories print is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    begun = time.perf_counter()
    system = (Showo if options.system == "showo" else Code)(options)
    serve(begun, system.answer, answers)


if __name__ == "__main__":
    main()
