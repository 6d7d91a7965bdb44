"""Hash functions of strings, equal to those of TensorFlow, which Keras's layers use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

_BITS = (1 << 64) - 1
_CROSS_KEY, _CROSS_FACTOR = 0xDECAFCAFFE, 0xC6A4A7935BD1E995
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


@functools.lru_cache(maxsize=1 << 16)
def _bucket(text: str, count: int, salt: tuple[int, int] | None) -> int:
    data = text.encode()
    return (farmhash64(data) if salt is None else siphash64(data, *salt)) % count


def bucket(text: str, count: int, salt: Sequence[int] | None = None) -> int:
    """The bucket of a string, from 0 to `count - 1`.

    Args:
        text: the string.
        count: the number of buckets.
        salt: two integers, the key of SipHash; FarmHash is used without it.

    Example:

    >>> [bucket(letter, 3) for letter in "ABCDE"]
    [1, 0, 1, 1, 2]
    """
    return _bucket(text, count, None if salt is None else tuple(salt))


def cross(values: Sequence[str | int], count: int) -> int:
    """The bucket of a combination of strings and integers, as in `tf.sparse.cross_hashed`.

    Example:

    >>> [cross(pair, 5) for pair in (("A", 101), ("B", 101), ("B", 102), ("A", 102))]
    [1, 4, 1, 3]
    """
    result = _CROSS_KEY
    for value in values:
        own = farmhash64(value.encode()) if isinstance(value, str) else value & _BITS
        result ^= _CROSS_FACTOR
        result ^= (_mix((own * _CROSS_FACTOR) & _BITS) * _CROSS_FACTOR) & _BITS
        result = (result * _CROSS_FACTOR) & _BITS
        result = _mix((_mix(result) * _CROSS_FACTOR) & _BITS)
    return result % count


def _rotate(x: int, by: int) -> int:
    """Rotate 64 bits to the right."""
    return ((x >> by) | (x << (64 - by))) & _BITS


def _mix(x: int) -> int:
    return x ^ (x >> 47)


def _pair(u: int, v: int, factor: int) -> int:
    a = _mix(((u ^ v) * factor) & _BITS)
    b = _mix(((v ^ a) * factor) & _BITS)
    return (b * factor) & _BITS


def _weak(words: tuple[int, int, int, int], a: int, b: int) -> tuple[int, int]:
    w, x, y, z = words
    a = (a + w) & _BITS
    b = _rotate((b + a + z) & _BITS, 21)
    c = a
    a = (a + x + y) & _BITS
    return (a + z) & _BITS, (b + _rotate(a, 44) + c) & _BITS


def farmhash64(data: bytes) -> int:
    """FarmHash Fingerprint64 (Pike, 2014), the hash of `tf.strings.to_hash_bucket_fast`."""
    size = len(data)

    def word(at: int, width: int = 8) -> int:
        at = at if at >= 0 else size + at
        return int.from_bytes(data[at : at + width], "little")

    factor = (_K2 + 2 * size) & _BITS
    if size == 0:
        return _K2
    if size < 4:
        y, z = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
        return (_mix((y * _K2 ^ z * _K0) & _BITS) * _K2) & _BITS
    if size < 8:
        return _pair(size + (word(0, 4) << 3), word(-4, 4), factor)
    if size <= 16:
        a, b = (word(0) + _K2) & _BITS, word(-8)
        return _pair((_rotate(b, 37) * factor + a) & _BITS, ((_rotate(a, 25) + b) * factor) & _BITS, factor)
    if size <= 64:
        a, b = (word(0) * (_K1 if size <= 32 else _K2)) & _BITS, word(8)
        c, d = (word(-8) * factor) & _BITS, (word(-16) * _K2) & _BITS
        y = (_rotate((a + b) & _BITS, 43) + _rotate(c, 30) + d) & _BITS
        z = _pair(y, (a + _rotate((b + _K2) & _BITS, 18) + c) & _BITS, factor)
        if size <= 32:
            return z
        e, f = (word(16) * factor) & _BITS, word(24)
        g, h = ((y + word(-32)) * factor) & _BITS, ((z + word(-24)) * factor) & _BITS
        u = (_rotate((e + f) & _BITS, 43) + _rotate(g, 30) + h) & _BITS
        return _pair(u, (e + _rotate((f + a) & _BITS, 18) + g) & _BITS, factor)
    return _farmhash_long(data, word)


def _farmhash_long(data: bytes, word: Callable[..., int]) -> int:
    """FarmHash of more than 64 bytes; `word(at)` reads 8 bytes."""
    x, y = 81, (81 * _K1 + 113) & _BITS
    z = (_mix((y * _K2 + 113) & _BITS) * _K2) & _BITS
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + word(0)) & _BITS
    rest = (len(data) - 1) & 63

    def words(at: int) -> tuple[int, int, int, int]:
        return word(at), word(at + 8), word(at + 16), word(at + 24)

    def block(at: int, factor: int, x: int, y: int, z: int, v: tuple, w: tuple, by: int) -> tuple:
        x = (_rotate((x + y + v[0] + word(at + 8)) & _BITS, 37) * factor) & _BITS
        y = (_rotate((y + v[1] + word(at + 48)) & _BITS, 42) * factor) & _BITS
        x ^= (w[1] * by) & _BITS
        y = (y + v[0] * by + word(at + 40)) & _BITS
        z = (_rotate((z + w[0]) & _BITS, 33) * factor) & _BITS
        v = _weak(words(at), (v[1] * factor) & _BITS, (x + w[0]) & _BITS)
        w = _weak(words(at + 32), (z + w[1]) & _BITS, (y + word(at + 16)) & _BITS)
        return z, y, x, v, w

    for at in range(0, len(data) - 1 - rest, 64):
        x, y, z, v, w = block(at, _K1, x, y, z, v, w, 1)
    factor = (_K1 + ((z & 0xFF) << 1)) & _BITS
    first = (w[0] + rest) & _BITS
    v = ((v[0] + first) & _BITS, v[1])
    w = ((first + v[0]) & _BITS, w[1])
    x, y, z, v, w = block(len(data) - 64, factor, x, y, z, v, w, 9)
    left = (_pair(v[0], w[0], factor) + _mix(y) * _K0 + z) & _BITS
    return _pair(left, (_pair(v[1], w[1], factor) + x) & _BITS, factor)


def siphash64(data: bytes, key0: int, key1: int) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012), the hash of `tf.strings.to_hash_bucket_strong`."""
    key0, key1 = key0 & _BITS, key1 & _BITS
    state = [key0 ^ 0x736F6D6570736575, key1 ^ 0x646F72616E646F6D, key0 ^ 0x6C7967656E657261, key1 ^ 0x7465646279746573]

    def rounds(count: int) -> None:
        a, b, c, d = state
        for _ in range(count):
            a, c = (a + b) & _BITS, (c + d) & _BITS
            b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
            a = _rotate(a, 32)
            c, a = (c + b) & _BITS, (a + d) & _BITS
            b, d = _rotate(b, 47) ^ c, _rotate(d, 43) ^ a
            c = _rotate(c, 32)
        state[:] = [a, b, c, d]

    tail = len(data) % 8
    words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data) - tail, 8)]
    words.append(int.from_bytes(data[len(data) - tail :], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        state[3] ^= word
        rounds(2)
        state[0] ^= word
    state[2] ^= 0xFF
    rounds(4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]
