//! The posterior's cumulative function: a fixed-point table of the normal one.
//!
//! It need not be the exact normal cumulative, since any posterior that both sides use is lossless;
//! it must be the same everywhere, and monotone.

use crate::distribution::{PRECISION, TOTAL_MASS};
use crate::distributions::normal_table::NORMAL_TABLE;

const TWO_23: f32 = 8_388_608.0;

/// `T(t)`: about `2^24 * Phi(t)`, monotone, 0 for `t <= -8` and `2^24` for `t >= 8`.
///
/// `t` is clamped to `[-8, 8]`; `u = (t + 8) * 65536`, in `f32`, rounded towards zero; with
/// `i = u >> 10` and `f = u & 1023`, the value is `T_i + ((T_(i+1) - T_i) * f >> 10)`, where
/// `T_i = round(2^24 * Phi(i / 64 - 8))`. NaN counts as 8.
#[inline(always)]
pub fn normal_cdf(t: f32) -> u32 {
    let t = if t < 8.0 { t } else { 8.0 };
    let t = if t > -8.0 { t } else { -8.0 };
    let u = (t + 8.0) * 65536.0;
    // Towards zero, in operations that have a vector form everywhere: to the nearest integer, and
    // back by one if that is above; the low bits of an f32 from 2^23 on count from there.
    let nearest = (u + TWO_23) - TWO_23;
    let floor = if nearest > u { nearest - 1.0 } else { nearest };
    let u = (floor + TWO_23).to_bits() - TWO_23.to_bits();
    let (i, f) = ((u >> 10) as usize, u & 1023);
    let (low, high) = (TABLE[i & 2047], TABLE[(i + 1) & 2047]);
    low + (((high - low) * f) >> 10)
}

/// `T_i` for `i` up to 1024, then [`TOTAL_MASS`]; its length makes a masked index valid.
static TABLE: [u32; 2048] = whole_table();

const fn whole_table() -> [u32; 2048] {
    let mut table = [TOTAL_MASS; 2048];
    let mut i = 0;
    while i <= 512 {
        table[512 + i] = NORMAL_TABLE[i];
        table[512 - i] = TOTAL_MASS - NORMAL_TABLE[i];
        i += 1;
    }
    table
}

/// About the `t` for which `T(t)` is the quantile: a hint, not a part of the format.
#[inline(always)]
pub(crate) fn normal_quantile_hint(quantile: u32) -> f32 {
    let part = (quantile >> SHIFT) as usize & ((1 << HINT_BITS) - 1);
    let within = (quantile & ((1 << SHIFT) - 1)) as i32 as f32;
    let (low, high) = (HINTS[part], HINTS[part + 1]);
    low + (high - low) * (within * (1.0 / (1 << SHIFT) as f32))
}

const HINT_BITS: u32 = 10;
const SHIFT: u32 = PRECISION - HINT_BITS;

/// Between equal parts of the quantiles, the `t`, interpolated between points of the table.
static HINTS: [f32; (1 << HINT_BITS) + 1] = hints();

const fn hints() -> [f32; (1 << HINT_BITS) + 1] {
    let table = whole_table();
    let mut hints = [0.0; (1 << HINT_BITS) + 1];
    let (mut part, mut i) = (0, 0);
    while part <= 1 << HINT_BITS {
        // Half a part from the ends, where the function is steep beyond all interpolation.
        let quantile = match part {
            0 => 1 << (SHIFT - 1),
            FULL => TOTAL_MASS - (1 << (SHIFT - 1)),
            part => part << SHIFT,
        };
        while table[i + 1] < quantile {
            i += 1;
        }
        let between = (quantile - table[i]) as f32 / (table[i + 1] - table[i]) as f32;
        hints[part as usize] = (i as f32 + between) / 64.0 - 8.0;
        part += 1;
    }
    hints
}

const FULL: u32 = 1 << HINT_BITS;

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(t: f64) -> f64 {
        f64::from(TOTAL_MASS) * 0.5 * libm::erfc(-t * std::f64::consts::FRAC_1_SQRT_2)
    }

    #[test]
    fn the_table_is_the_rounded_normal_cumulative() {
        for (i, &value) in NORMAL_TABLE.iter().enumerate() {
            let expected = exact(i as f64 / 64.0);
            assert!(
                (f64::from(value) - expected).abs() < 0.500_01,
                "{i}: {value} {expected}"
            );
        }
    }

    #[test]
    fn is_monotone_and_close_over_its_whole_range() {
        let mut before = 0;
        for i in -90_000..=90_000 {
            let t = i as f32 * 1e-4;
            let value = normal_cdf(t);
            assert!(value >= before, "{t}");
            // Rounding t down to 2^-16 errs by up to 102, interpolation by up to h^2/8 max|phi'| = 124.
            assert!(
                (f64::from(value) - exact(f64::from(t))).abs() < 226.0,
                "{t}: {value}"
            );
            before = value;
        }
        let limits = [f32::NEG_INFINITY, -8.0, 8.0, f32::INFINITY, f32::NAN];
        assert_eq!(
            limits.map(normal_cdf),
            [0, 0, TOTAL_MASS, TOTAL_MASS, TOTAL_MASS]
        );
    }
}
