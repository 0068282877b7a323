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
    data: ArrayView2<'_, u16>,
    threads: NonZeroUsize,
    work: impl Fn(usize, ArrayView2<'_, u16>) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let part = data.nrows().div_ceil(threads.get()).max(1);
    let parts: Vec<_> = data.axis_chunks_iter(Axis(0), part).collect();
    let results: Vec<_> = thread::scope(|scope| {
        let work = &work;
        let start = |(i, rows)| {
            let run = move || work(i * part, rows);
            // Where the system gives no more threads, this one does the work.
            (thread::Builder::new().spawn_scoped(scope, run)).map_err(|_| run())
        };
        let started: Vec<_> = parts.into_iter().enumerate().map(start).collect();
        let ended = started.into_iter().map(|thread| match thread {
            Ok(thread) => thread.join(),
            Err(result) => Ok(result),
        });
        ended.collect()
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
