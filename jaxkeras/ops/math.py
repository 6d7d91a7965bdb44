"""Special functions, segment reductions, Fourier transforms."""

from jaxkeras.ops._math.fourier import extract_sequences as extract_sequences
from jaxkeras.ops._math.fourier import fft as fft
from jaxkeras.ops._math.fourier import fft2 as fft2
from jaxkeras.ops._math.fourier import ifft2 as ifft2
from jaxkeras.ops._math.fourier import irfft as irfft
from jaxkeras.ops._math.fourier import istft as istft
from jaxkeras.ops._math.fourier import rfft as rfft
from jaxkeras.ops._math.fourier import stft as stft
from jaxkeras.ops._math.fourier import view_as_complex as view_as_complex
from jaxkeras.ops._math.fourier import view_as_real as view_as_real
from jaxkeras.ops._math.segments import segment_max as segment_max
from jaxkeras.ops._math.segments import segment_min as segment_min
from jaxkeras.ops._math.segments import segment_prod as segment_prod
from jaxkeras.ops._math.segments import segment_sum as segment_sum
from jaxkeras.ops._math.special import cdist as cdist
from jaxkeras.ops._math.special import erf as erf
from jaxkeras.ops._math.special import erfc as erfc
from jaxkeras.ops._math.special import erfinv as erfinv
from jaxkeras.ops._math.special import gammainc as gammainc
from jaxkeras.ops._math.special import lgamma as lgamma
from jaxkeras.ops._math.special import logdet as logdet
from jaxkeras.ops._math.special import logsumexp as logsumexp
from jaxkeras.ops._math.special import rsqrt as rsqrt
from jaxkeras.ops._math.special import top_k as top_k
from jaxkeras.ops._namespace import public
from jaxkeras.ops._nn.classification import in_top_k as in_top_k

__all__, __dir__ = public(__name__)
