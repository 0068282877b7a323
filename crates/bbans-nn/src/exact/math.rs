//! Elementary functions with a fixed order of `f32` operations, written down in docs/format/arithmetic.md.
//!
//! Each is a straight line of additions, multiplications, divisions and selections, all rounded to
//! nearest by IEEE 754, so every machine gives the same bits and every SIMD path can run it. They
//! are within a few units in the last place of the true values, which nothing depends on.

/// `1.5 * 2^23`: adding and subtracting it rounds to an integer, for magnitudes below `2^22`.
const ROUND: f32 = 12_582_912.0;
const TWO_23: f32 = 8_388_608.0;
/// `ln 2` in two parts: the first has 9 significant bits, so its product with a small integer is exact.
const LN2_HIGH: f32 = 355.0 / 512.0;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Coefficients of the Taylor series of `e^r`, `1/7!` to `1/0!`.
const TAYLOR: [f32; 8] = [
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `e^x`, with `x` clamped to `[-87, 88]`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = if x < 88.0 { x } else { 88.0 };
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = TAYLOR[0];
    p = p * r + TAYLOR[1];
    p = p * r + TAYLOR[2];
    p = p * r + TAYLOR[3];
    p = p * r + TAYLOR[4];
    p = p * r + TAYLOR[5];
    p = p * r + TAYLOR[6];
    p = p * r + TAYLOR[7];
    // The low bits of `shifted` hold n in two's complement: n + 127 is the exponent of 2^n.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    p * power
}

/// `1 / (1 + e^-x)`, computed from `e^-|x|`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// `tanh x = sign(x) (1 - e) / (1 + e)` with `e = e^(-2|x|)`.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    let t = (1.0 - e) / (1.0 + e);
    if x < 0.0 { -t } else { t }
}

/// `x sigmoid(x)`.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// `x > 0 ? x : +0`.
#[inline(always)]
pub fn relu(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}

/// `x > 0 ? x : e^x - 1`.
#[inline(always)]
pub fn elu(x: f32) -> f32 {
    if x > 0.0 { x } else { exp(x) - 1.0 }
}

/// `ln(1 + e^x) = max(x, 0) + ln(1 + e)` with `e = e^-|x|`, where
/// `ln(1 + e) = 2 artanh(s)`, `s = e / (2 + e) <= 1/3`, by its series up to `s^17`.
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let e = exp(-x.abs());
    let s = e / (2.0 + e);
    let t = s * s;
    let mut p = 2.0 / 17.0;
    p = p * t + 2.0 / 15.0;
    p = p * t + 2.0 / 13.0;
    p = p * t + 2.0 / 11.0;
    p = p * t + 2.0 / 9.0;
    p = p * t + 2.0 / 7.0;
    p = p * t + 2.0 / 5.0;
    p = p * t + 2.0 / 3.0;
    p = p * t + 2.0;
    relu(x) + p * s
}

/// The standard normal cumulative, `(1 + erf(x / sqrt 2)) / 2`: with `z = |x| / sqrt 2`,
/// `t = 1 / (1 + 0.3275911 z)` and `p = (a_1 t + .. + a_5 t^5) e^(-z z)`, `erf z = 1 - p` to 1.5e-7 (Abramowitz & Stegun
/// 1964, 7.1.26).
#[inline(always)]
pub fn normal_cdf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152;
    p = p * t + 1.421_413_7;
    p = p * t - 0.284_496_74;
    p = p * t + 0.254_829_6;
    let half = 0.5 * (p * t * exp(-(z * z)));
    if x < 0.0 { half } else { 1.0 - half }
}

/// `x Phi(x)` with [`normal_cdf`].
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    x * normal_cdf(x)
}

/// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
#[inline(always)]
pub fn gelu_tanh(x: f32) -> f32 {
    let cube = x * x * x;
    (0.5 * x) * (1.0 + tanh((x + cube * 0.044_715) * 0.797_884_6))
}

/// The mass, of `2^24`, of a 1 whose probability is `sigmoid(logit)`: 1 to `2^24 - 1`.
///
/// With `e = e^-|logit|` the less likely symbol has `m = max(1, floor(e / (1 + e) * 2^24 + 1/2))`;
/// the other one the rest. So masses are as fine near 1 as near 0, and symmetric.
#[inline(always)]
pub fn bernoulli_mass(logit: f32) -> u32 {
    let e = exp(-logit.abs());
    let v = e / (1.0 + e) * 16_777_216.0 + 0.5;
    let m = floor_small(v);
    let m = if m > 1 { m } else { 1 };
    if logit < 0.0 { m } else { (1 << 24) - m }
}

/// `v`, from 0 to `2^24`, towards zero, in a form that vectorises.
#[inline(always)]
pub(crate) fn floor(v: f32) -> u32 {
    // From 2^23 on, v is an integer, and its low bits count from there.
    let large = (v.to_bits().wrapping_sub(TWO_23.to_bits())).wrapping_add(1 << 23);
    let small = floor_small(if v < TWO_23 { v } else { 0.0 });
    if v < TWO_23 { small } else { large }
}

/// `v`, from 0 to `2^23`, towards zero: rounded to the nearest integer, less one if that is above.
#[inline(always)]
fn floor_small(v: f32) -> u32 {
    let nearest = (v + TWO_23) - TWO_23;
    let floor = if nearest > v { nearest - 1.0 } else { nearest };
    // The low bits of an f32 from 2^23 to 2^24 count from its lower end.
    (floor + TWO_23).to_bits() - TWO_23.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A walk over the bit patterns of 1e-9 to 128 and both signs, 80,000 values, and extremes.
    fn values() -> impl Iterator<Item = f32> {
        let magnitudes = (0x3080_0000..0x4300_0000).step_by(7919).map(f32::from_bits);
        magnitudes
            .flat_map(|v| [v, -v])
            .chain([0.0, -0.0, 1e3, -1e3, f32::MAX, f32::MIN])
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place_of_libm() {
        for x in values().filter(|x| (-87.0..=88.0).contains(x)) {
            let exact = libm::exp(f64::from(x));
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.0 * f64::from(f32::EPSILON), "{x}: {error}");
        }
    }

    #[test]
    fn sigmoid_and_its_kin_agree_with_libm() {
        for x in values() {
            let t = f64::from(x);
            let s = 1.0 / (1.0 + libm::exp(-t));
            assert!((f64::from(sigmoid(x)) - s).abs() < 2e-7, "sigmoid {x}");
            assert!(
                (f64::from(tanh(x)) - libm::tanh(t)).abs() < 3e-7,
                "tanh {x}"
            );
            assert!(
                (f64::from(silu(x)) - t * s).abs() <= 3e-7 * t.abs(),
                "silu {x}"
            );
            let plus = t.max(0.0) + libm::log1p(libm::exp(-t.abs()));
            assert!(
                (f64::from(softplus(x)) - plus).abs() <= 3e-7 * plus.abs().max(1e-30),
                "softplus {x}"
            );
            let exponential = if t > 0.0 { t } else { libm::expm1(t) };
            assert!((f64::from(elu(x)) - exponential).abs() <= 2e-7 * t.abs().max(1.0));
            let mass = (s * 16_777_216.0).clamp(1.0, 16_777_215.0);
            assert!(
                (f64::from(bernoulli_mass(x)) - mass).abs() < 3.0,
                "mass {x}"
            );
        }
    }

    #[test]
    fn gelu_agrees_with_libm() {
        for x in values().filter(|x| x.abs() < 100.0) {
            let t = f64::from(x);
            let phi = 0.5 * libm::erfc(-t * std::f64::consts::FRAC_1_SQRT_2);
            let error = (f64::from(gelu(x)) - t * phi).abs();
            assert!(error <= 4e-7 * t.abs(), "gelu {x}: {error}");
            let tanh =
                libm::tanh((2.0 / std::f64::consts::PI).sqrt() * (t + 0.044_715 * t.powi(3)));
            let error = (f64::from(gelu_tanh(x)) - 0.5 * t * (1.0 + tanh)).abs();
            assert!(error <= 4e-7 * t.abs(), "gelu_tanh {x}: {error}");
        }
    }

    #[test]
    fn floor_is_that_of_the_integers() {
        let near = [0.0, 8_388_607.0, 8_388_608.0, 8_388_609.0, 16_777_215.0];
        let walk = (0..16_777_216).step_by(977).map(|v| v as f32);
        for v in walk.chain(near) {
            for v in [v, v + 0.25, v + 0.5, v + 0.996] {
                assert_eq!(floor(v), v as u32, "{v}");
            }
        }
    }

    #[test]
    fn masses_are_symmetric_and_never_zero() {
        for x in values().filter(|&x| x != 0.0) {
            assert_eq!(bernoulli_mass(x) + bernoulli_mass(-x), 1 << 24, "{x}");
            assert!((1..1 << 24).contains(&bernoulli_mass(x)));
        }
    }

    /// Files depend on these bits. A change here is a new version of the format.
    #[test]
    fn golden_bits() {
        let mut hasher = blake3::Hasher::new();
        for x in values() {
            for y in [exp(x), sigmoid(x), tanh(x), silu(x), relu(x)] {
                hasher.update(&y.to_bits().to_le_bytes());
            }
            hasher.update(&bernoulli_mass(x).to_le_bytes());
        }
        assert_eq!(hasher.finalize().to_hex()[..16], *"98d3e5bb92e5630a");
        let mut hasher = blake3::Hasher::new();
        for x in values() {
            for y in [elu(x), softplus(x)] {
                hasher.update(&y.to_bits().to_le_bytes());
            }
        }
        assert_eq!(hasher.finalize().to_hex()[..16], *"0ddafee0b7ba1b58");
        let mut hasher = blake3::Hasher::new();
        for x in values() {
            for y in [normal_cdf(x), gelu(x), gelu_tanh(x)] {
                hasher.update(&y.to_bits().to_le_bytes());
            }
        }
        assert_eq!(hasher.finalize().to_hex()[..16], *"9e403462f98b7bb9");
    }
}
