"""Writes the golden files beside it with Hugging Face `peft` on the models of ../llama (reference: PeftModel).

    pip install torch transformers safetensors peft && python make.py

made-by-peft/causal   a LoRA of random weights on ../llama/tied, saved by peft
made-by-peft/rslora   the same with rank-stabilised scaling, one map only, on ../llama/untied
made-by-peft/scalar   a LoRA and a head (TOKEN_CLS, one label) on ../llama/untied
Each with `golden.safetensors`: ids [B, L] and logits [B, L, V] (or scores [B, L]).

made-here/causal and made-here/scalar were trained and saved by `node train.mjs`; this script applies them by peft and writes
`golden.safetensors` beside them: ids, logits (or scores), and logits of the model that peft merged (`merged`).
"""
import pathlib, shutil
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

HERE = pathlib.Path(__file__).parent
IDS = torch.tensor([[5, 9, 33, 2, 60, 7, 7, 18, 41, 44], [8, 1, 50, 22, 22, 13, 4, 39, 3, 12]])
CAUSAL, SCALAR = TaskType.CAUSAL_LM, TaskType.TOKEN_CLS
base = lambda name: str(HERE.parent / 'llama' / name)


def load(name, task):
    if task == CAUSAL: return AutoModelForCausalLM.from_pretrained(base(name)).eval()
    return AutoModelForTokenClassification.from_pretrained(base(name), num_labels=1).eval()


def outputs(model, task):
    with torch.no_grad(): out = model(IDS).logits
    return out.contiguous() if task == CAUSAL else out[..., 0].contiguous()


def write(folder, model, task, **more):
    save_file(dict(ids=IDS, **{'logits' if task == CAUSAL else 'scores': outputs(model, task)}, **more), folder / 'golden.safetensors')


def made_by_peft(name, on, task, seed, **over):
    folder = HERE / 'made-by-peft' / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    config = LoraConfig(**{**dict(task_type=task, r=4, lora_alpha=6, lora_dropout=0.0, init_lora_weights=False), **over})
    model = get_peft_model(load(on, task), config).eval()
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for n, p in model.named_parameters():
            if p.requires_grad: p.copy_(torch.randn(p.shape, generator=g) * p.shape[-1] ** -0.5)
    model.save_pretrained(folder)
    (folder / 'README.md').unlink(missing_ok=True)
    config = folder / 'adapter_config.json'
    config.write_text(config.read_text().replace(base(on), f'../../../llama/{on}'))
    write(folder, model, task)


made_by_peft('causal', 'tied', CAUSAL, 1, target_modules=['q_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'])
made_by_peft('rslora', 'untied', CAUSAL, 2, target_modules=['layers.0.self_attn.k_proj'], use_rslora=True)
made_by_peft('scalar', 'untied', SCALAR, 3, target_modules=['q_proj', 'down_proj'])

for name, on, task in [('causal', 'tied', CAUSAL), ('scalar', 'untied', SCALAR)]:
    folder = HERE / 'made-here' / name
    if not folder.exists(): continue
    model = PeftModel.from_pretrained(load(on, task), folder).eval()
    before = outputs(load(on, task), task) if task == CAUSAL else None
    applied = outputs(model, task)
    if before is not None: assert (before - applied).abs().max() > 0.1, 'the adapter changes nothing'
    merged = outputs(model.merge_and_unload().eval(), task)
    save_file(dict(ids=IDS, **{'logits' if task == CAUSAL else 'scores': applied}, merged=merged), folder / 'golden.safetensors')
