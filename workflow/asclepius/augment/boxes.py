"""Boxes of findings that follow their images."""

import numpy as np


def around_shown(boxes: np.ndarray, places: list[np.ndarray], seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes around the pixels that show each box's inside after a warp, as around a warped mask.

    Args:
        boxes: (m, 6), [x0, y0, z0, x1, y1, z1] in pixels of one image, upper end exclusive; z of a 2D image is 0 to 1.
        places: for each axis, (y, x) or (z, y, x), which pixel each pixel of the warped image shows, (pixels,).
        seen: of the warped image's shape, false where nothing of the image is left.

    Returns:
        The boxes of which a pixel is left, and their numbers.
    """
    d, found, kept = len(places), [], []
    for number, one in enumerate(boxes):
        shown = seen.copy()
        for axis, place in enumerate(places):
            low, high = one[d - 1 - axis], one[d + 2 - axis]
            shown &= ((place >= low) & (place < high)).reshape(seen.shape)
        where = np.nonzero(shown)
        if len(where[0]):
            moved = np.array([0, 0, 0, 1, 1, 1])
            for axis, values in enumerate(where):
                moved[d - 1 - axis], moved[d + 2 - axis] = values.min(), values.max() + 1
            found.append(moved)
            kept.append(number)
    return np.array(found, int).reshape(-1, 6), np.array(kept, int)
