"""Arithmetic of f32, and the functions of one number.

Python's numbers have double precision. The sum, difference, product or quotient of two f32 values, or the square
root of one, computed in double precision and rounded to f32 at once is what f32 arithmetic gives: double precision
has more than twice the digits, so rounding twice is rounding once.
"""
import functools
import itertools
import math
from array import array

CELL = array("f", [0.0])


def f32(x):
    """x rounded to f32; too large a number becomes infinite. An array's cell is the fastest way to it."""
    CELL[0] = x
    return CELL[0]


def f32s(values):
    """Many values rounded at once, far faster than one by one."""
    return array("f", values).tolist()


def add_products(sums, terms):
    """For each term (a, b), in order: sums[i * len(b) + j] += a[i] * b[j], all products and sums rounded.

    Products of zeros may be left out: they are zeros, which change no sum but -0, and no sum here is ever -0.
    """
    for a, b in terms:
        if any(a) and any(b):
            products = array("f", [u * v for u in a for v in b])
            sums = array("f", [s + p for s, p in zip(sums, products)])
    return list(sums)


def in_order(values):
    """The sum of values from +0 on, one after another."""
    return functools.reduce(lambda a, b: f32(a + b), values, 0.0)


def total(values):
    """The sum of many values: of every 16th a partial sum from +0 on, then the sum of these."""
    parts = [0.0] * 16
    for at in range(0, len(values), 16):
        row = values[at:at + 16]
        parts = f32s([p + v for p, v in itertools.zip_longest(parts, row, fillvalue=0.0)])
    return in_order(parts)


ROUND, LOG2E, LN2_HIGH, LN2_LOW = 12582912.0, f32(math.log2(math.e)), f32(0.693359375), f32(-0.00021219444)
C = [f32(1 / math.factorial(i)) for i in range(8)]


def polynomial(coefficients, x):
    """Horner's rule, from the highest power down."""
    p = coefficients[0]
    for c in coefficients[1:]:
        p = f32(f32(p * x) + c)
    return p


def exp(x):
    x = max(min(x, 88.0), -87.0)
    n = f32(f32(x * LOG2E) + ROUND) - ROUND
    r = f32(f32(x - n * LN2_HIGH) - f32(n * LN2_LOW))
    return f32(math.ldexp(polynomial(C[::-1], r), int(n)))


def sigmoid(x):
    e = exp(-abs(x))
    return f32((e if x < 0 else 1.0) / f32(1 + e))


def silu(x):
    return f32(x * sigmoid(x))


def tanh(x):
    e = exp(f32(-2 * abs(x)))
    t = f32(f32(1 - e) / f32(1 + e))
    return -t if x < 0 else t


def relu(x):
    return x if x > 0 else 0.0


def elu(x):
    return x if x > 0 else f32(exp(x) - 1)


LN_2P = [f32(2 / i) for i in range(17, 0, -2)]


def softplus(x):
    e = exp(-abs(x))
    s = f32(e / f32(2 + e))
    return f32(relu(x) + f32(polynomial(LN_2P, f32(s * s)) * s))


def mish(x):
    return f32(x * tanh(softplus(x)))


SQRT_HALF, ERF_T = f32(math.sqrt(0.5)), f32(0.3275911)
ERF_P = f32s([1.0614054, -1.453152, 1.4214137, -0.28449674, 0.2548296])


def normal_cdf(x):
    """The standard normal cumulative function."""
    z = f32(abs(x) * SQRT_HALF)
    t = f32(1 / f32(1 + f32(ERF_T * z)))
    half = f32(0.5 * f32(f32(polynomial(ERF_P, t) * t) * exp(-f32(z * z))))
    return half if x < 0 else f32(1 - half)


def gelu(x):
    return f32(x * normal_cdf(x))


CUBE, SQRT_2_PI = f32(0.044715), f32(0.7978846)


def gelu_tanh(x):
    cube = f32(f32(x * x) * x)
    t = tanh(f32(f32(x + f32(cube * CUBE)) * SQRT_2_PI))
    return f32(f32(0.5 * x) * f32(1 + t))


def clamp(x, low, high):
    """From above first. Python's min and max would take the other one of two zeros."""
    x = x if x < high else high
    return x if x > low else low


def mass(x):
    """The mass, of 2^24, of a 1 whose logit is x."""
    e = exp(-abs(x))
    m = max(1, int(f32(f32(f32(e / f32(1 + e)) * 16777216.0) + 0.5)))
    return m if x < 0 else (1 << 24) - m
