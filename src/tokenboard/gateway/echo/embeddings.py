"""Embeddings (OpenAI: CreateEmbeddingResponse): a unit vector made of the text's hash; equal texts, equal vectors."""

import base64
import hashlib
import math
import struct
from dataclasses import dataclass, field
from typing import Any

from tokenboard.gateway.echo.body import Body, read_inputs
from tokenboard.gateway.echo.words import count_words
from tokenboard.problem import Problem

DIMENSIONS = 16
"""Numbers of a vector, unless the request names another number."""

MAX_DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class Inputs:
    """The texts, how many numbers each vector is to have, and whether these are wanted as base64."""

    texts: list[str] = field(repr=False)
    dimensions: int
    packed: bool


def read(body: Body) -> Inputs:
    """Return what is to be embedded; raises Problem: 400."""
    texts = read_inputs(body.get("input"), "input")
    dimensions = body.get("dimensions")
    if dimensions is None:
        dimensions = DIMENSIONS
    elif type(dimensions) is not int or not 1 <= dimensions <= MAX_DIMENSIONS:
        message = f"`dimensions` must be a whole number from 1 to {MAX_DIMENSIONS}."
        raise Problem(400, message, param="dimensions")
    encoding = body.get("encoding_format")
    if encoding not in (None, "float", "base64"):  # a set would have to hash what was sent
        raise Problem(400, "`encoding_format` must be float or base64.", param="encoding_format")
    return Inputs(texts, dimensions, encoding == "base64")


def answer(inputs: Inputs, model: str) -> dict[str, Any]:
    """Return the vectors, in the order of the texts."""
    words = sum(count_words(text) for text in inputs.texts)
    vectors = [unit_vector(text, inputs.dimensions) for text in inputs.texts]
    return {
        "object": "list",
        "model": model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _pack(vector) if inputs.packed else vector}
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": words, "total_tokens": words},
    }


def unit_vector(text: str, dimensions: int) -> list[float]:
    """Return the vector of a text, of length 1."""
    digest = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(2 * dimensions)
    numbers = [number + 0.5 for number in struct.unpack(f"<{dimensions}h", digest)]  # never all zero
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def _pack(vector: list[float]) -> str:
    """Return the numbers as base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
