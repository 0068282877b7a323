//! Work on parts of a data set, a thread each.

use std::num::NonZeroUsize;
use std::thread;

use anyhow::{Result, bail};
use ndarray::{ArrayView2, Axis};

/// `work` on consecutive rows of `data`, a part for each thread, with the number of the first; the
/// results in order.
///
/// # Errors
/// The first error of a part.
pub(crate) fn on_threads<T: Send>(
    data: ArrayView2<'_, u8>,
    threads: NonZeroUsize,
    work: impl Fn(usize, ArrayView2<'_, u8>) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let part = data.nrows().div_ceil(threads.get()).max(1);
    let parts: Vec<_> = data.axis_chunks_iter(Axis(0), part).collect();
    let results: Vec<_> = thread::scope(|scope| {
        let work = &work;
        let start = |(i, rows)| scope.spawn(move || work(i * part, rows));
        let handles: Vec<_> = parts.into_iter().enumerate().map(start).collect();
        handles
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    let mut all = Vec::with_capacity(data.nrows());
    for result in results {
        match result {
            Ok(part) => all.extend(part?),
            Err(_) => bail!("a thread stopped unexpectedly"),
        }
    }
    Ok(all)
}
