//! Work on several threads whose results come out in order.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use bbans_core::{Error, ErrorKind, Result};

/// Calls `work` on everything that `next` gives, on `threads` threads, and `emit` on the results in
/// the order of `next`. At most twice as many items as threads are under way at a time, and no more
/// threads are started than there are items.
///
/// # Errors
/// The first error, in that order, of any of the three.
pub(crate) fn ordered<T: Send, U: Send>(
    threads: usize,
    mut next: impl FnMut() -> Result<Option<T>>,
    work: impl Fn(T) -> Result<U> + Sync,
    mut emit: impl FnMut(U) -> Result<()>,
) -> Result<()> {
    if threads <= 1 {
        while let Some(item) = next()? {
            emit(work(item)?)?;
        }
        return Ok(());
    }
    let (jobs, queue) = mpsc::channel::<(usize, T)>();
    let (done, results) = mpsc::channel();
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        // Owned by this closure: an early return closes the channel, and the threads end.
        let jobs = jobs;
        let start = |done: mpsc::Sender<_>| {
            let (queue, work) = (&queue, &work);
            let run = move || {
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((i, item)) = job else { return };
                    if done.send((i, work(item))).is_err() {
                        return;
                    }
                }
            };
            has_room().and_then(|()| thread::Builder::new().spawn_scoped(scope, run))
        };
        // Taken away once no more threads will be started: when they have ended, so have the results.
        let mut done = Some(done);
        let (mut threads, mut started) = (threads, 0);
        let stopped = || Error::new(ErrorKind::Io, "a thread stopped unexpectedly");
        let (mut sent, mut emitted, mut open) = (0, 0, true);
        let mut waiting = BTreeMap::new();
        loop {
            while open && sent - emitted < 2 * threads {
                match next()? {
                    Some(item) => {
                        jobs.send((sent, item)).map_err(|_| stopped())?;
                        sent += 1;
                        // A thread for each item, as far as there are so many.
                        if started < threads
                            && let Some(sender) = &done
                        {
                            match start(sender.clone()) {
                                Ok(_) => started += 1,
                                Err(e) if started == 0 => return Err(no_thread(e)),
                                // Fewer do the same work.
                                Err(_) => threads = started,
                            }
                        }
                        done = done.filter(|_| started < threads);
                    }
                    None => {
                        open = false;
                        done = None;
                    }
                }
            }
            if emitted == sent {
                return Ok(());
            }
            let (i, result) = results.recv().map_err(|_| stopped())?;
            waiting.insert(i, result);
            while let Some(result) = waiting.remove(&emitted) {
                emit(result?)?;
                emitted += 1;
            }
        }
    })
}

/// Room that a thread needs besides its stack, about. What it cannot get when it starts ends the program.
const ROOM: usize = 1 << 24;

fn has_room() -> std::io::Result<()> {
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(ROOM);
    // An allocation that nobody looks at may be left out.
    std::hint::black_box(&room);
    reserved.map_err(|_| std::io::ErrorKind::OutOfMemory.into())
}

fn no_thread(e: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "no thread can be started").because(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(threads: usize, fail_at: Option<u64>) -> (Result<()>, Vec<u64>) {
        let mut items = 0..100u64;
        let mut out = Vec::new();
        let work = |n: u64| {
            thread::sleep(std::time::Duration::from_micros(97 * (n % 7)));
            if Some(n) == fail_at {
                Err(Error::corruption(n))
            } else {
                Ok(n * n)
            }
        };
        let result = ordered(
            threads,
            || Ok(items.next()),
            work,
            |n| {
                out.push(n);
                Ok(())
            },
        );
        (result, out)
    }

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [1, 2, 7] {
            let (result, out) = squares(threads, None);
            assert!(result.is_ok());
            assert_eq!(out, (0..100).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_the_work_after_all_that_came_before_it() {
        for threads in [1, 3] {
            let (result, out) = squares(threads, Some(40));
            assert_eq!(result.unwrap_err().to_string(), "40");
            assert_eq!(out.len(), 40);
        }
    }
}
