//! Progress on standard error, where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts data; without a known total it only counts.
pub(crate) fn counter(total: Option<u64>, what: &'static str) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = match total {
        Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec}",
        None => "{msg} {spinner} {human_pos} {per_sec}",
    };
    styled(bar, template).with_message(what)
}

/// A bar with a template of its own.
pub(crate) fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
