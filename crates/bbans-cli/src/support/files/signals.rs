//! What a signal does: it ends the program, and nothing is left behind.

#[cfg(unix)]
use std::sync::{Arc, mpsc};

#[cfg(unix)]
use super::temporary::remove_all_and_exit;

/// On a signal that ends the program removes what is not complete, and exits with 128 + signal, as a
/// shell reports a program that a signal ended.
#[cfg(unix)]
pub(crate) fn clean_up_on_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ};
    // A file that may not grow any more is an error of writing, as a full disk is.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    // What is ignored from the start on stays so: SIGHUP after nohup, SIGINT in a shell's background.
    let all = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU];
    let signals: Vec<i32> = all.into_iter().filter(|&s| !is_ignored(s)).collect();
    let (ready, registered) = mpsc::channel();
    let wait = move || {
        // Without handlers a signal still ends the program; only a temporary file would be left.
        let signals = signal_hook::iterator::Signals::new(signals);
        let _ = ready.send(());
        if let Some(signal) = signals.ok().and_then(|mut s| s.forever().next()) {
            remove_all_and_exit(128 + signal);
        }
    };
    // Registered by the thread that waits for them: handlers without one would swallow them.
    if std::thread::Builder::new().spawn(wait).is_ok() {
        let _ = registered.recv();
    }
}

/// Whether a signal was ignored when the program was started. Where the system does not tell, it was
/// not.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok());
    mask.is_some_and(|m| m >> (signal - 1) & 1 == 1)
}

/// On Ctrl-C removes what is not complete, and exits.
#[cfg(not(unix))]
pub(crate) fn clean_up_on_signals() {
    // As a shell reports SIGINT.
    let _ = ctrlc::set_handler(|| super::temporary::remove_all_and_exit(130));
}
