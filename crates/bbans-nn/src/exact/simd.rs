//! Which SIMD path runs. All give the same bits; they differ in speed.

use pulp::{Simd, WithSimd};

/// A SIMD path that this machine has.
#[derive(Debug, Clone, Copy)]
pub struct Path(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Scalar,
    /// Vectors of 128 bits without intrinsics: SSE2 on x86-64, NEON on AArch64.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
}

/// Environment variable that forces a path by its name, for tests and measurements.
pub const PATH_VARIABLE: &str = "BBANS_SIMD";

impl Path {
    /// The paths of this machine, the fastest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "some processors have no others")]
        let mut paths = vec![Self(Kind::Scalar), Self(Kind::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            paths.extend(pulp::x86::V3::try_new().map(|v| Self(Kind::Avx2(v))));
            paths.extend(pulp::x86::V4::try_new().map(|v| Self(Kind::Avx512(v))));
        }
        #[cfg(target_arch = "aarch64")]
        paths.extend(pulp::aarch64::Neon::try_new().map(|v| Self(Kind::Neon(v))));
        paths
    }

    /// The path that [`PATH_VARIABLE`] names, where this machine has it; else the fastest.
    pub fn detect() -> Self {
        let forced = std::env::var(PATH_VARIABLE).ok();
        let mut paths = Self::available();
        let named = |p: &&Self| forced.as_deref() == Some(p.name());
        let found = paths.iter().find(named).copied();
        found.or_else(|| paths.pop()).unwrap_or(Self(Kind::Scalar))
    }

    /// Its name: `scalar`, `portable`, `avx2`, `avx512` or `neon`.
    pub fn name(&self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
        }
    }

    /// Runs `f` with the instructions of this path, as far as the compiler uses them and inlines it.
    #[inline(always)]
    pub fn vectorize<R>(&self, f: impl FnOnce() -> R) -> R {
        self.run(Closure(f))
    }

    /// Runs `op` with the instructions of this path.
    #[inline]
    pub(crate) fn run<O: WithSimd>(&self, op: O) -> O::Output {
        match self.0 {
            Kind::Scalar => pulp::Scalar.vectorize(op),
            Kind::Portable => pulp::Scalar128b.vectorize(op),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(simd) => Simd::vectorize(simd, op),
        }
    }
}

struct Closure<F>(F);

impl<R, F: FnOnce() -> R> WithSimd for Closure<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> R {
        (self.0)()
    }
}
