# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras.datasets import boston_housing as boston_housing
from jaxkeras.datasets import california_housing as california_housing
from jaxkeras.datasets import cifar10 as cifar10
from jaxkeras.datasets import cifar100 as cifar100
from jaxkeras.datasets import digits as digits
from jaxkeras.datasets import fashion_mnist as fashion_mnist
from jaxkeras.datasets import imdb as imdb
from jaxkeras.datasets import mnist as mnist
from jaxkeras.datasets import movie_snippets as movie_snippets
from jaxkeras.datasets import reuters as reuters
