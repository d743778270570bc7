"""Which models TGI 3.3.7 serves on NVIDIA cards with code of its own. Pure.

Its ModelType list, server/text_generation_server/models/__init__.py. Whatever is not on it is handed to
transformers' AutoModel, which that file refuses for every 4-bit and 8-bit integer mode. (Qwen3 has code of
its own in TGI's Gaudi backend alone: huggingface/text-generation-inference#3199 and #3226.)
"""

from appliance_cli.base.errors import BadSetting
from appliance_cli.gpu.modes import Mode

MODEL_TYPES = frozenset(
    (
        *("baichuan", "bloom", "cohere", "dbrx", "deepseek_v2", "deepseek_v3", "falcon", "RefinedWeb"),
        *("RefinedWebModel", "gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "gpt_bigcode", "gpt_neox"),
        *("gptj", "granite", "idefics", "idefics2", "idefics3", "llama", "llama4", "llava_next", "mamba"),
        *("mistral", "mixtral", "mllama", "mpt", "opt", "paligemma", "phi", "phi-msft", "phi3", "phimoe"),
        *("qwen2", "qwen2_5_vl", "qwen2_vl", "ssm", "starcoder2", "t5"),
    )
)
REFUSED_MODES = {
    "nf4": "4bit quantization is not supported for AutoModel",
    "eetq": "Eetq quantization is not supported for AutoModel",
    "awq": "awq quantization is not supported for AutoModel",
    "gptq": "gptq quantization is not supported for AutoModel",
}
"""TGI's own words, by mode."""


class NotServed(BadSetting):
    """TGI would fetch the model, and then refuse it."""


def require(model_id: str, model_type: str, mode: Mode) -> None:
    """Raise NotServed for a model that TGI refuses in this mode.

    Raises BadSetting where TGI serves it, but not with the code that plans are made for.
    """
    if model_type in MODEL_TYPES:
        return
    known = f"a model of its own list, such as model_type qwen2, llama or mistral: {mode.model_id}"
    if mode.name in REFUSED_MODES:
        raise NotServed(
            f"TGI 3.3.7 does not serve {model_id} with MODE={mode.name}",
            expected=known,
            found=f"model_type {model_type or 'missing'} (TGI: {REFUSED_MODES[mode.name]})",
            remedy=f"set MODEL_ID={mode.model_id}, or another Qwen2.5 (./scripts/appliance plan --model ID)",
        )
    raise BadSetting(
        f"{model_id} cannot be planned with",
        expected=known,
        found=f"model_type {model_type or 'missing'}, which TGI hands to transformers' own slower code",
        remedy=f"set MODEL_ID={mode.model_id}, or find out by trying",
    )
