//! Grids: numbers that are multiples of a step.

/// Greatest multiple, in magnitude.
pub(super) const MAX_MULTIPLE: f64 = 4_194_304.0;

/// Significant bits of a step.
const STEP_BITS: u32 = 9;
/// Bits of an `f32` below those.
const UNUSED: u32 = 24 - STEP_BITS;

/// A step as it is written: exponent and significant bits of a positive, normal `f32`.
pub(super) fn code_of_step(step: f32) -> Option<u32> {
    let bits = step.to_bits();
    (step.is_normal() && step > 0.0 && bits.is_multiple_of(1 << UNUSED)).then_some(bits >> UNUSED)
}

/// Most that [`code_of_step`] gives.
pub(super) const MAX_CODE: u32 = f32::MAX.to_bits() >> UNUSED;

/// The step of a code, if there is one.
pub(super) fn step_of_code(code: u32) -> Option<f32> {
    let step = f32::from_bits(code.min(MAX_CODE) << UNUSED);
    (code <= MAX_CODE && step.is_normal()).then_some(step)
}

/// The greatest step that all of these are multiples of, if it can be written and no multiple is too large; of zeros
/// alone 1.
pub(super) fn step_of(values: impl Iterator<Item = f32> + Clone) -> Option<f32> {
    // A remainder of doubles is exact.
    let mut step = 0f64;
    let mut greatest = 0f64;
    for value in values.clone() {
        let (mut a, mut b) = (f64::from(value.abs()), step);
        greatest = greatest.max(a);
        while b > 0.0 {
            (a, b) = (b, a % b);
        }
        step = a;
        if greatest > step * MAX_MULTIPLE {
            return None;
        }
    }
    if step == 0.0 {
        return Some(1.0);
    }
    let step = step as f32;
    code_of_step(step)?;
    let exact = |value: f32| multiple(value, step).is_some_and(|n| n as f32 * step == value);
    { values }.all(exact).then_some(step)
}

/// How often the step is in a value, rounded.
pub(super) fn multiple(value: f32, step: f32) -> Option<i32> {
    let n = (f64::from(value) / f64::from(step)).round();
    (n.abs() <= MAX_MULTIPLE).then_some(n as i32)
}

/// The nearest step that takes few bits: four to an octave.
pub fn coarse_step(step: f64) -> f32 {
    let step = step.clamp(1e-30, 1e30) as f32;
    let bits = step.to_bits();
    let kept = 21;
    f32::from_bits((bits + (1 << (kept - 1))) >> kept << kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found() {
        for step in [1.0, 0.75, 3.0 / 1024.0, 1.25e-5f64 as f32, 511.0] {
            let step = coarse_step(f64::from(step));
            let values = [3, -7, 0, 40, 4000].map(|n| n as f32 * step);
            assert_eq!(step_of(values.into_iter()), Some(step));
            assert_eq!(step_of_code(code_of_step(step).unwrap()), Some(step));
        }
        // The greatest common one.
        assert_eq!(step_of([4.0, 6.0, -10.0].into_iter()), Some(2.0));
        assert_eq!(step_of([0.0, 0.0].into_iter()), Some(1.0));
        assert_eq!(step_of(std::iter::empty()), Some(1.0));
        // Of too many bits, and too far apart.
        assert_eq!(step_of([0.1, 0.3].into_iter()), None);
        assert_eq!(step_of([1e-8, 1.0].into_iter()), None);
        assert_eq!(step_of([1.0 + 1.0 / 1024.0].into_iter()), None);
        assert_eq!(code_of_step(f32::MIN_POSITIVE / 2.0), None);
        assert_eq!(step_of_code(0), None);
        assert_eq!(step_of_code(MAX_CODE + 1), None);
    }

    #[test]
    fn coarse_steps_are_near() {
        for i in 0..1000 {
            let step = 1e-6 * 1.03f64.powi(i);
            let part = f64::from(coarse_step(step)) / step;
            assert!((0.88..1.13).contains(&part), "{step} {part}");
        }
    }
}
