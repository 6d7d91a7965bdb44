"""Initializers: what a weight holds before training.

An initializer is called with a shape and a dtype. A random one is a pure function `draw(key, shape, dtype)` with a
seed of its own, so that the same weights can also be drawn from another key.
"""

from __future__ import annotations

from jaxkeras.initializers.base import Initializer as Initializer
from jaxkeras.initializers.constants import STFT as STFT
from jaxkeras.initializers.constants import Constant as Constant
from jaxkeras.initializers.constants import Identity as Identity
from jaxkeras.initializers.constants import Ones as Ones
from jaxkeras.initializers.constants import Zeros as Zeros
from jaxkeras.initializers.draws import GlorotNormal as GlorotNormal
from jaxkeras.initializers.draws import GlorotUniform as GlorotUniform
from jaxkeras.initializers.draws import HeNormal as HeNormal
from jaxkeras.initializers.draws import HeUniform as HeUniform
from jaxkeras.initializers.draws import LecunNormal as LecunNormal
from jaxkeras.initializers.draws import LecunUniform as LecunUniform
from jaxkeras.initializers.draws import Orthogonal as Orthogonal
from jaxkeras.initializers.draws import RandomInitializer as RandomInitializer
from jaxkeras.initializers.draws import RandomNormal as RandomNormal
from jaxkeras.initializers.draws import RandomUniform as RandomUniform
from jaxkeras.initializers.draws import TruncatedNormal as TruncatedNormal
from jaxkeras.initializers.draws import VarianceScaling as VarianceScaling
from jaxkeras.initializers.draws import compute_fans as compute_fans
from jaxkeras.initializers.lookup import deserialize as deserialize
from jaxkeras.initializers.lookup import get as get
from jaxkeras.initializers.lookup import serialize as serialize

IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant, zeros, ones = Constant, Zeros, Ones
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
he_uniform, he_normal = HeUniform, HeNormal
