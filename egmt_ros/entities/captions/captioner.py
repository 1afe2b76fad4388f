"""An image-to-text model of transformers that captions batches of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from egmt_ros.entities.captions.caption_config import CaptionConfig
from egmt_ros.entities.captions.caption_file import one_line
from egmt_ros.entities.captions.model_source import ModelSource, one_line_of
from egmt_ros.errors import CheckpointError, DeviceError, EgmtError, MissingDependencyError

if TYPE_CHECKING:
    import torch

_Loaded = TypeVar("_Loaded")


class Captioner:
    """Captions images. The processor is loaded at once, the weights with the first images.

    Args:
        source: The model.
        config: How it generates.
        device: "auto", "cpu" or "cuda:N".

    Raises:
        CheckpointError: The model has no processor of images and texts, or it cannot be loaded.
        DeviceError: The device is not there.
        MissingDependencyError: transformers, or a package that this model needs, is missing.

    Attributes:
        source: The model.
        prompts: "infrared", "visible" -> prompt; those for chats if the model has a chat template.
        device: Where it runs, "cpu" or "cuda:N".
    """

    def __init__(self, source: ModelSource, config: CaptionConfig, device: str = "auto") -> None:
        try:
            import torch  # noqa: F401
            from transformers import AutoProcessor, ProcessorMixin
        except ImportError as error:
            raise MissingDependencyError(
                f"captioning needs transformers ({one_line_of(error)}): make setup "
                "EXTRAS=annotate, or pip install 'egmt_ros[annotate]'"
            ) from error
        from egmt_ros.pipeline.devices import resolve_device

        self.source = source
        self._config = config
        self._device = resolve_device(device)
        self.device = str(self._device)
        self._processor = _load(source, lambda: AutoProcessor.from_pretrained(**_where(source)))
        tokenizer = getattr(self._processor, "tokenizer", None)
        if not isinstance(self._processor, ProcessorMixin) or tokenizer is None:
            raise CheckpointError(
                f"model {source.label} comes with a {type(self._processor).__name__} alone; "
                "expected a processor of images and texts (processor_config.json): it is no "
                "captioner that AutoProcessor can load"
            )
        tokenizer.padding_side = "left"  # what is generated follows the end of the prompt
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._chat = getattr(self._processor, "chat_template", None) is not None
        self.prompts: Mapping[str, str] = config.chat if self._chat else config.completion
        self._model: Any = None

    def caption(self, images: Sequence[np.ndarray], prompt: str) -> list[str]:
        """Caption images with one prompt; a caption is one line without the prompt.

        Args:
            images: (H, W, 3) uint8, R, G, B, of any sizes.
            prompt: One of `prompts`.

        Returns:
            One caption an image; "" where the model says nothing.

        Raises:
            CheckpointError: The weights cannot be loaded, or the model does not take an image
                with this prompt.
            DeviceError: Memory runs out.
            MissingDependencyError: A package that this model needs is missing.
        """
        import torch

        try:
            model = self._loaded_model()
            inputs = self._inputs(images, prompt, model)
            with torch.inference_mode():
                tokens = model.generate(
                    **inputs,
                    max_new_tokens=self._config.max_new_tokens,
                    num_beams=self._config.beams,
                    do_sample=False,
                )
            start = _prompt_length(inputs, tokens, model)
            texts = self._processor.tokenizer.batch_decode(
                tokens[:, start:], skip_special_tokens=True
            )
        except EgmtError:
            raise
        except Exception as error:  # whatever a model's own code fails with
            if _out_of_memory(error):
                raise self._memory_error(len(images)) from error
            raise CheckpointError(
                f"model {self.source.label} failed to caption {len(images)} images with the "
                f"prompt {prompt!r:.80} ({type(error).__name__}: {one_line_of(error)}); see "
                "whether the model wants another prompt, or a task word or image token in it, or "
                "fewer tokens (prompts and max_new_tokens of the caption settings)"
            ) from error
        if len(texts) != len(images):
            raise CheckpointError(
                f"model {self.source.label} gave {len(texts)} captions of {len(images)} images; "
                "remove num_return_sequences from its generation_config.json"
            )
        return [one_line(text.encode("utf-8", "replace").decode()) for text in texts]

    def _loaded_model(self) -> Any:
        if self._model is None:
            from transformers import AutoModelForImageTextToText

            stored = self._config.dtype == "auto" and self._device.type == "cuda"
            dtype = "auto" if stored else self._config.dtype.replace("auto", "float32")
            model, info = _load(
                self.source,
                lambda: AutoModelForImageTextToText.from_pretrained(
                    **_where(self.source), dtype=dtype, output_loading_info=True
                ),
            )
            if info["missing_keys"]:
                missing = sorted(info["missing_keys"])
                raise CheckpointError(
                    f"the weights of model {self.source.label} lack {missing[0]}"
                    + (f" and {len(missing) - 1} more tensors" if len(missing) > 1 else "")
                    + ", which would be random: expected a captioner's weights; download it again, "
                    "or give another model"
                )
            self._model = model.eval().to(self._device)
        return self._model

    def _inputs(self, images: Sequence[np.ndarray], prompt: str, model: Any) -> dict[str, Any]:
        from PIL import Image

        pictures = [Image.fromarray(image) for image in images]
        if self._chat:
            made = self._chat_inputs(pictures, prompt)
        elif prompt:
            texts = [prompt] * len(pictures)
            made = self._processor(images=pictures, text=texts, padding=True, return_tensors="pt")
            made = self._unended(dict(made), model)
        else:
            made = self._processor(images=pictures, return_tensors="pt")
        return {key: self._to_device(value, model.dtype) for key, value in made.items()}

    def _chat_inputs(self, pictures: Sequence[Any], prompt: str) -> Mapping[str, Any]:
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        begin = self._processor.tokenizer.bos_token
        begun = bool(begin) and text.startswith(begin)
        return self._processor(
            images=[[picture] for picture in pictures],
            text=[text] * len(pictures),
            padding=True,
            return_tensors="pt",
            **({"add_special_tokens": False} if begun else {}),
        )

    def _unended(self, inputs: dict[str, Any], model: Any) -> dict[str, Any]:
        """Without the end that some tokenizers put after a text that is to be continued."""
        tokenizer = self._processor.tokenizer
        ids = inputs["input_ids"]
        ends = {tokenizer.eos_token_id, tokenizer.sep_token_id} - {None}
        if _translates(model) or model.config.model_type == "blip":  # BLIP takes it off itself
            return inputs
        if ids.shape[1] < 2 or int(ids[0, -1]) not in ends:
            return inputs
        return {k: v[:, :-1] if v.shape == ids.shape else v for k, v in inputs.items()}

    def _to_device(self, value: Any, dtype: torch.dtype) -> Any:
        if not hasattr(value, "is_floating_point"):
            return value
        return value.to(self._device, dtype if value.is_floating_point() else None)

    def _memory_error(self, count: int) -> DeviceError:
        smaller = (
            f"captioning {count} images at once; give a smaller --batch-size, such as {count // 2}"
            if count > 1
            else "captioning a single image; set dtype to bfloat16 and beams to 1 in the caption "
            "settings, give another --device, or a smaller model"
        )
        return DeviceError(
            f"{self.device} ran out of memory with model {self.source.label}, {smaller} (captions "
            "made so far are kept)"
        )


def _where(source: ModelSource) -> dict[str, Any]:
    """What from_pretrained is called with."""
    return {
        "pretrained_model_name_or_path": source.location,
        "revision": source.revision or "main",
        "local_files_only": source.local_only,
        "trust_remote_code": False,
    }


def _load(source: ModelSource, load: Callable[[], _Loaded]) -> _Loaded:
    try:
        return load()
    except ImportError as error:
        raise MissingDependencyError(
            f"model {source.label} needs a package that is not installed: {one_line_of(error)}"
        ) from error
    except Exception as error:  # transformers raises nearly everything
        if _out_of_memory(error):
            raise
        remedy = (
            "see whether the folder is complete and holds an image-to-text model"
            if source.revision is None
            else "see whether it is an image-to-text model"
            + (", or download it again with a network" if source.local_only else "")
        )
        raise CheckpointError(
            f"model {source.label} cannot be loaded ({type(error).__name__}: "
            f"{one_line_of(error)}); {remedy}"
        ) from error


def _prompt_length(inputs: Mapping[str, Any], tokens: torch.Tensor, model: Any) -> int:
    """How many tokens at the start of what was generated are the prompt."""
    given = inputs.get("input_ids")
    if given is None or _translates(model):
        return 0
    count = given.shape[1]
    if tokens.shape[1] >= count and bool((tokens[:, :count] == given).all()):
        return count
    # BLIP puts a token of its own first, and takes off the last. Other models answer alone.
    inner = slice(1, count - 1)
    blip = tokens.shape[1] >= count - 1 >= 2 and bool((tokens[:, inner] == given[:, inner]).all())
    return count - 1 if blip else 0


def _translates(model: Any) -> bool:
    """Whether the text model encodes the prompt and decodes a text of its own, as T5 does."""
    configs = (model.config, model.config.get_text_config())
    return any(getattr(config, "is_encoder_decoder", False) for config in configs)


def _out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
