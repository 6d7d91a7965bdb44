"""Image ops. An image is `(height, width, channels)`, or channels first; most take one image or a batch of them."""

from jaxkeras.ops._image.color import hsv_to_rgb as hsv_to_rgb
from jaxkeras.ops._image.color import rgb_to_grayscale as rgb_to_grayscale
from jaxkeras.ops._image.color import rgb_to_hsv as rgb_to_hsv
from jaxkeras.ops._image.filters import gaussian_blur as gaussian_blur
from jaxkeras.ops._image.filters import sobel_edges as sobel_edges
from jaxkeras.ops._image.filters import ssim as ssim
from jaxkeras.ops._image.geometry import affine_transform as affine_transform
from jaxkeras.ops._image.geometry import elastic_transform as elastic_transform
from jaxkeras.ops._image.geometry import map_coordinates as map_coordinates
from jaxkeras.ops._image.geometry import perspective_transform as perspective_transform
from jaxkeras.ops._image.geometry import scale_and_translate as scale_and_translate
from jaxkeras.ops._image.patches import extract_patches as extract_patches
from jaxkeras.ops._image.patches import extract_patches_3d as extract_patches_3d
from jaxkeras.ops._image.patches import reconstruct_patches as reconstruct_patches
from jaxkeras.ops._image.sizes import crop_images as crop_images
from jaxkeras.ops._image.sizes import pad_images as pad_images
from jaxkeras.ops._image.sizes import resize as resize
from jaxkeras.ops._namespace import public

__all__, __dir__ = public(__name__)
