# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras.preprocessing import image as image
from jaxkeras.preprocessing import sequence as sequence
from jaxkeras.utils.image_dataset import image_dataset_from_directory as image_dataset_from_directory
from jaxkeras.utils.text_dataset import text_dataset_from_directory as text_dataset_from_directory
from jaxkeras.utils.timeseries_dataset import timeseries_dataset_from_array as timeseries_dataset_from_array
