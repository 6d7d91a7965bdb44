# What is loaded when first used: see `core/lazy_imports.py`.
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

# Keras's other names for the same classes.
IdentityInitializer = Identity
identity = Identity
OrthogonalInitializer = Orthogonal
orthogonal = Orthogonal
STFTInitializer = STFT
stft = STFT
constant = Constant
zeros = Zeros
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
he_uniform = HeUniform
he_normal = HeNormal
