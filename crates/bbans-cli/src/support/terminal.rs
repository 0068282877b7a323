//! What is said on standard output and standard error.

use std::io::{self, Write};

/// Standard output, for text.
///
/// # Errors
/// If it is not open for writing.
pub(crate) fn stdout() -> io::Result<io::Stdout> {
    if super::files::stdout_is_unwritable() {
        return Err(io::Error::other("standard output is not open for writing"));
    }
    Ok(io::stdout())
}

/// Writes a line to standard error. A terminal that has gone away stops nothing.
macro_rules! note {
    ($($arg:tt)*) => {
        $crate::support::terminal::line(format_args!($($arg)*))
    };
}
pub(crate) use note;

/// Writes a line, if it can be written.
pub(crate) fn line(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says what went wrong. Whoever reads our output and has gone away need not be told.
pub(crate) fn complain(error: &anyhow::Error) {
    if !is_broken_pipe(error) {
        note!("bbans: {}", in_a_line(&format!("{error:#}")));
    }
}

/// Most characters of a message.
const MAX_MESSAGE: usize = 4000;

/// Without control characters, which names in foreign files may have, and not longer than anyone reads.
fn in_a_line(message: &str) -> String {
    let mut line = String::new();
    for c in message.chars().take(MAX_MESSAGE) {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if message.chars().nth(MAX_MESSAGE).is_some() {
        line.push_str(" ...");
    }
    line
}

/// Whether an error comes from writing to a pipe that nobody reads any more.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error
        .chain()
        .any(|e| e.downcast_ref::<io::Error>().is_some_and(broken))
}
