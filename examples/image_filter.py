"""A filter for images in a sandbox. NumPy sees the module's memory: nothing is copied twice."""

import numpy as np
from build import PLAIN, module

import wasmote

filters = wasmote.Instance(module("image_filter/blur.c", *PLAIN)).exports


def blur(image: np.ndarray) -> np.ndarray:
    """`image` (bytes, two dimensions), each pixel the mean of those around it."""
    if image.size > filters.room():
        raise ValueError("the image is too large")
    view(filters.input(), image.shape)[:] = image
    return view(filters.blur(*image.shape), image.shape)


def view(address: int, shape: tuple[int, ...]) -> np.ndarray:
    """An array in the module's memory."""
    return np.ndarray(shape, np.uint8, filters.memory, address)


y, x = np.mgrid[0:480, 0:640]
picture = ((x // 40 + y // 40) % 2 * 255).astype(np.uint8)  # a chessboard
blurred = blur(picture)

mean = sum(picture[dy : 478 + dy, dx : 638 + dx].astype(int) for dy in range(3) for dx in range(3))
print("as NumPy does it:", np.array_equal(blurred[1:-1, 1:-1], mean // 9))
print("an edge before:", picture[20, 36:44])
print("and after:     ", blurred[20, 36:44])
