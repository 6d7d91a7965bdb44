# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras.visualization.boxes import draw_bounding_boxes as draw_bounding_boxes
from jaxkeras.visualization.boxes import plot_bounding_box_gallery as plot_bounding_box_gallery
from jaxkeras.visualization.gallery import plot_image_gallery as plot_image_gallery
from jaxkeras.visualization.masks import draw_segmentation_masks as draw_segmentation_masks
from jaxkeras.visualization.masks import plot_segmentation_mask_gallery as plot_segmentation_mask_gallery
