"""Datasets. `digits` and `movie_snippets` are part of the package; the others are Keras's and are downloaded once."""

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
